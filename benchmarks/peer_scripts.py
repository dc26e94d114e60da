"""Train a classifier as a user of another library does: the scripts that `benchmarks.peers` times.

`benchmarks.peers` starts each script in its own process::

    python -P benchmarks/peer_scripts.py JOB ANSWER

``JOB`` is a JSON file with the name of the script, the rows, the model's folder and the settings.
The script writes its predictions for the test rows, the seconds of its parts and the versions of
its libraries to the JSON file ``ANSWER``. If the predictions have another order than the rows, it
also writes the labels in that order.

This file imports nothing of Thawline, and each script imports only what it uses. So it also runs in
an environment that has only the other library.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

Job = dict[str, Any]
Answer = dict[str, Any]
Rows = dict[str, dict[str, list[Any]]]

QUERIES = ("query", "q_lin", "q_proj", "query_key_value")
"""Names of the module that projects the queries, by family of backbones."""


def freeze(model: Any, strategy: dict[str, Any]) -> Any:
    """Freeze a part of a classifier as the usual scripts do, or wrap it with peft.

    Args:
        model: A transformers model for sequence classification.
        strategy: ``trained`` is ``head``, ``blocks``, ``adapters`` or ``all``. ``blocks`` is the
            number of the last blocks that are trained, and ``r``, ``alpha`` and ``dropout`` belong
            to the adapters.
    """
    if strategy["trained"] == "adapters":
        from peft import LoraConfig, TaskType, get_peft_model

        names = {name.rpartition(".")[2] for name, _ in model.named_modules()}
        config = LoraConfig(
            task_type=TaskType.SEQ_CLS,
            r=strategy["r"],
            lora_alpha=strategy["alpha"],
            lora_dropout=strategy["dropout"],
            target_modules=[name for name in QUERIES if name in names],
        )
        return get_peft_model(model, config)
    if strategy["trained"] == "all":
        return model
    first_trained = model.config.num_hidden_layers - strategy.get("blocks", 0)
    for name, parameter in model.base_model.named_parameters():
        block = re.search(r"\.(\d+)\.", f".{name}")
        above = int(block[1]) >= first_trained if block else "embed" not in name
        parameter.requires_grad_(strategy["trained"] == "blocks" and above)
    return model


def train_with_trainer(job: Job, rows: Rows, best: bool = False) -> Answer:
    """Train as the common tutorials do: freeze a part of the model, train the rest with Trainer.

    The batches are random, padded to their longest text and computed in fp32. Every epoch runs the
    frozen part over all texts again and ends with an evaluation on the validation split.

    Args:
        job: The settings.
        rows: The texts and labels of each split.
        best: Whether to use the options that make Trainer fast: bf16, training batches of texts of
            similar length, and evaluation in larger batches of such texts.
    """
    import torch
    from datasets import Dataset
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        EvalPrediction,
        Trainer,
        TrainingArguments,
        set_seed,
    )

    set_seed(job["seed"])
    tokenizer = AutoTokenizer.from_pretrained(job["model"])

    def tokenise(batch: dict[str, list[Any]]) -> Any:
        return tokenizer(batch["text"], truncation=True, max_length=job["max_length"])

    def accuracy(prediction: EvalPrediction) -> dict[str, float]:
        return {
            "accuracy": float((prediction.predictions.argmax(-1) == prediction.label_ids).mean())
        }

    splits = {
        name: Dataset.from_dict({"text": part["texts"], "label": part["labels"]}).map(
            tokenise, batched=True
        )
        for name, part in rows.items()
    }
    options: dict[str, Any] = {}
    if best:  # length grouping applies to training and to evaluation
        options = {"bf16": True, "train_sampling_strategy": "group_by_length"}
        options["use_cpu"] = not torch.cuda.is_available()  # bf16 on a CPU needs it
    model = AutoModelForSequenceClassification.from_pretrained(
        job["model"], num_labels=job["classes"], dtype=torch.float32
    )
    trainer = Trainer(
        model=freeze(model, job["strategy"]),
        args=TrainingArguments(
            output_dir=job["scratch"],
            num_train_epochs=job["epochs"],
            per_device_train_batch_size=job["batch_size"],
            per_device_eval_batch_size=job["eval_batch_size"],
            learning_rate=job["lr"],
            eval_strategy="epoch",
            save_strategy="no",
            report_to="none",
            seed=job["seed"],
            **options,
        ),
        train_dataset=splits["train"],
        eval_dataset=splits["validation"],
        processing_class=tokenizer,
        data_collator=DataCollatorWithPadding(tokenizer),
        compute_metrics=accuracy,
    )
    training = trainer.train()
    prediction = trainer.predict(splits["test"])
    history = trainer.state.log_history
    evaluated = sum(log["eval_runtime"] for log in history if "eval_runtime" in log)
    return {
        "predictions": prediction.predictions.argmax(-1).tolist(),
        "labels": prediction.label_ids.tolist(),  # grouped by length, the rows change their order
        "training_seconds": training.metrics["train_runtime"] - evaluated,
        "inference_seconds": evaluated + prediction.metrics["test_runtime"],
        "trainable": sum(p.numel() for p in trainer.model.parameters() if p.requires_grad),
    }


def train_with_best_trainer(job: Job, rows: Rows) -> Answer:
    """Train with Trainer's fastest options."""
    return train_with_trainer(job, rows, best=True)


def labelled(rows: Rows) -> tuple[list[str], list[int]]:
    """Return the rows of train and validation, for a script that chooses nothing on validation."""
    parts = rows["train"], rows["validation"]
    return (
        [text for part in parts for text in part["texts"]],
        [label for part in parts for label in part["labels"]],
    )


def fit_on_embeddings(job: Job, rows: Rows) -> Answer:
    """Encode the texts with sentence-transformers and fit scikit-learn's logistic regression."""
    from sentence_transformers import SentenceTransformer
    from sklearn.linear_model import LogisticRegression

    texts, labels = labelled(rows)
    encoder = SentenceTransformer(job["model"])
    encoder.max_seq_length = job["max_length"]
    start = time.perf_counter()
    train = encoder.encode(texts)
    test = encoder.encode(rows["test"]["texts"])
    encoded = time.perf_counter()
    classifier = LogisticRegression(max_iter=1_000).fit(train, labels)
    return {
        "predictions": classifier.predict(test).tolist(),
        "training_seconds": time.perf_counter() - encoded,
        "inference_seconds": encoded - start,
    }


def fit_with_setfit(job: Job, rows: Rows) -> Answer:
    """Fit only SetFit's classifier, on the frozen body, without contrastive training."""
    setfit = importlib.import_module("setfit")
    texts, labels = labelled(rows)
    model = setfit.SetFitModel.from_pretrained(job["model"])
    model.model_body.max_seq_length = job["max_length"]
    start = time.perf_counter()
    model.fit(texts, labels, num_epochs=1)
    predicted = model.predict(rows["test"]["texts"])
    return {
        "predictions": [int(label) for label in predicted],
        "training_seconds": 0.0,
        "inference_seconds": time.perf_counter() - start,
    }


def fit_with_model2vec(job: Job, rows: Rows) -> Answer:
    """Distil static word vectors from the backbone, and train model2vec's classifier on them."""
    distillation = importlib.import_module("model2vec.distill")
    training = importlib.import_module("model2vec.train")
    texts, labels = labelled(rows)
    start = time.perf_counter()
    static = distillation.distill(job["model"])
    classifier = training.StaticModelForClassification.from_static_model(model=static)
    classifier.fit(texts, [str(label) for label in labels])
    trained = time.perf_counter()
    predicted = classifier.predict(rows["test"]["texts"])
    return {
        "predictions": [int(label) for label in predicted],
        "training_seconds": trained - start,
        "inference_seconds": time.perf_counter() - trained,
    }


def fit_with_autointent(job: Job, rows: Rows) -> Answer:
    """Run AutoIntent's preset ``classic-light`` with the backbone as its embedder."""
    autointent = importlib.import_module("autointent")
    configs = importlib.import_module("autointent.configs")
    texts, labels = labelled(rows)
    pipeline = autointent.Pipeline.from_preset("classic-light", seed=job["seed"] + 1)  # no 0
    embedder = configs.SentenceTransformerEmbeddingConfig(
        model_name=job["model"],
        tokenizer_config={"max_length": job["max_length"]},
    )
    pipeline.set_config(embedder)
    pairs = zip(texts, labels, strict=True)
    train = [{"utterance": text, "label": label} for text, label in pairs]
    start = time.perf_counter()
    pipeline.fit(autointent.Dataset.from_dict({"train": train}))
    trained = time.perf_counter()
    predicted = pipeline.predict(rows["test"]["texts"])
    return {
        "predictions": [-1 if label is None else int(label) for label in predicted],
        "training_seconds": trained - start,
        "inference_seconds": time.perf_counter() - trained,
    }


SCRIPTS: dict[str, Callable[[Job, Rows], Answer]] = {
    "trainer": train_with_trainer,
    "trainer-best": train_with_best_trainer,
    "encode": fit_on_embeddings,
    "setfit": fit_with_setfit,
    "model2vec": fit_with_model2vec,
    "autointent": fit_with_autointent,
}
"""The script of each peer."""

PACKAGES = {
    "trainer": ("transformers", "accelerate", "datasets", "peft", "torch"),
    "trainer-best": ("transformers", "accelerate", "datasets", "peft", "torch"),
    "encode": ("sentence-transformers", "scikit-learn", "transformers", "torch"),
    "setfit": ("setfit", "sentence-transformers", "transformers", "torch"),
    "model2vec": ("model2vec", "transformers", "torch"),
    "autointent": ("autointent", "sentence-transformers", "transformers", "torch"),
}
"""The packages of each script whose versions belong to the result."""


def peak_memory_bytes() -> int | None:
    """Return the largest resident memory of this process in bytes, or None on Windows."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)


def installed(names: Sequence[str]) -> dict[str, str]:
    """Return the versions of those packages that are installed."""
    found: dict[str, str] = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def main(words: Sequence[str]) -> None:
    """Run a script and write its answer.

    Args:
        words: The paths of the job and of the answer; or ``--versions`` and the name of a script,
            to print only the versions of its packages.
    """
    if words[0] == "--versions":
        print(json.dumps(installed(PACKAGES[words[1]])))
        return
    job = json.loads(Path(words[0]).read_text(encoding="utf-8"))
    rows = json.loads(Path(job["rows"]).read_text(encoding="utf-8"))
    answer = SCRIPTS[job["peer"]](job, rows)
    answer["peak_memory_bytes"] = peak_memory_bytes()
    answer["versions"] = installed(PACKAGES[job["peer"]])
    Path(words[1]).write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
