"""Test text generation: the tokens, the seed, the limits, the errors and the command."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.support.command_line import thawline
from tests.support.records import pretrain_record
from tests.support.toys import LIMIT, save_writer, toy_tokenizer
from thawline.backbones.language import LanguageModel, load_language_model
from thawline.config import WritingConfig
from thawline.errors import ThawlineError, printable
from thawline.pretraining.generation import GeneratedText, prompt_ids, write_texts
from thawline.runs.records import write_record

FAMILIES = ("qwen3", "llama")
GREEDY = WritingConfig(tokens=20, temperature=0, device="cpu")
SAMPLED = WritingConfig(tokens=20, temperature=1.0, top_k=259, top_p=1.0, device="cpu")


@pytest.fixture(scope="module", params=FAMILIES)
def writer(request, toy_writer) -> LanguageModel:
    return load_language_model(str(toy_writer(request.param)))


@pytest.fixture
def qwen(toy_writer) -> LanguageModel:
    return load_language_model(str(toy_writer()))


def written(
    language: LanguageModel, config: WritingConfig, prompt: str = "The film"
) -> GeneratedText:
    (one,) = write_texts(language, prompt, config)
    return one


@torch.no_grad()
def stepwise(language: LanguageModel, prompt: str, steps: int) -> list[int]:
    """Return the most likely tokens, each from a pass over all earlier tokens, without a cache."""
    ids = language.tokenizer(prompt, return_tensors="pt")["input_ids"]
    before = ids.shape[1]
    for _ in range(steps):
        likeliest = language.model(ids, use_cache=False).logits[0, -1].argmax()
        ids = torch.cat([ids, likeliest.view(1, 1)], dim=1)
        if int(likeliest) in language.end_ids:
            break
    return ids[0, before:].tolist()


# Generated text


def test_greedy_generates_the_most_likely_tokens(writer):
    ids = stepwise(writer, "The film", 20)
    one = written(writer, GREEDY)
    assert one.written == writer.tokenizer.decode(ids, skip_special_tokens=True)
    assert one.text == f"The film{one.written}"
    assert (one.prompt_tokens, one.tokens) == (9, len(ids))  # 8 bytes and the first token
    assert len(set(ids)) > 1


def test_seed_reproduces_the_text(writer):
    first, again = written(writer, SAMPLED), written(writer, SAMPLED)
    assert replace(first, seconds=0) == replace(again, seconds=0)
    assert written(writer, replace(SAMPLED, seed=1)).text != first.text


def test_generation_keeps_the_global_random_state(qwen):
    torch.manual_seed(5)
    first, drawn = written(qwen, SAMPLED), torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(1), drawn)
    assert written(qwen, SAMPLED).text == first.text


def test_top_k_of_1_is_greedy(writer):
    assert written(writer, replace(SAMPLED, top_k=1)).text == written(writer, GREEDY).text


def test_small_top_p_is_greedy(writer):
    assert written(writer, replace(SAMPLED, top_p=1e-6)).text == written(writer, GREEDY).text


def test_low_temperature_is_greedy(writer):
    assert written(writer, replace(SAMPLED, temperature=1e-4)).text == written(writer, GREEDY).text
    assert written(writer, SAMPLED).text != written(writer, GREEDY).text


def test_each_sample_has_its_own_seed(qwen):
    three = list(write_texts(qwen, "The film", replace(SAMPLED, seed=7, samples=3)))
    assert [one.seed for one in three] == [7, 8, 9]
    assert len({one.text for one in three}) == 3
    assert written(qwen, replace(SAMPLED, seed=8)).text == three[1].text


def test_generation_settings_of_the_checkpoint_are_ignored(tmp_path, toy_writer, qwen):
    folder = Path(shutil.copytree(toy_writer(), tmp_path / "suggesting"))
    path = folder / "generation_config.json"
    suggested = {"do_sample": True, "temperature": 0.01, "top_k": 1, "repetition_penalty": 9.0}
    path.write_text(json.dumps(json.loads(path.read_text()) | suggested))
    suggesting = load_language_model(str(folder))
    assert suggesting.model.generation_config.repetition_penalty == 9.0
    assert written(suggesting, SAMPLED).text == written(qwen, SAMPLED).text
    assert written(suggesting, GREEDY).text == written(qwen, GREEDY).text


def test_empty_prompt_starts_from_the_start_token(qwen):
    one = written(qwen, GREEDY, "")
    assert prompt_ids(qwen, "").tolist() == [[1]]
    assert (one.prompt, one.prompt_tokens, one.text) == ("", 1, one.written)
    assert one.tokens > 0


# Stopping


def test_stops_at_the_end_of_the_text(qwen):
    for seed in range(60):
        one = written(qwen, replace(SAMPLED, tokens=30, seed=seed, temperature=3.0))
        assert (one.stopped == "end") == (one.tokens < 30)
        assert "<eos>" not in one.text
        if one.stopped == "end":
            return
    raise AssertionError("none of the texts ended")


def test_stops_after_the_requested_tokens_or_at_the_limit(qwen):
    qwen.model.generation_config.eos_token_id = qwen.model.config.eos_token_id = None
    qwen.tokenizer.eos_token = None
    assert qwen.end_ids == []
    one = written(qwen, replace(GREEDY, tokens=5))
    assert (one.tokens, one.stopped) == (5, "tokens")
    one = written(qwen, replace(GREEDY, tokens=500))
    assert (one.prompt_tokens + one.tokens, one.stopped) == (LIMIT, "limit")


def test_end_token_of_the_prompt_is_removed(tmp_path, toy_writer):
    from tokenizers import processors

    folder = Path(shutil.copytree(toy_writer(), tmp_path / "ending"))
    language = load_language_model(str(folder))
    plain = prompt_ids(language, "The film").tolist()
    language.tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A <eos>", special_tokens=[("<bos>", 1), ("<eos>", 2)]
    )
    assert language.tokenizer("The film")["input_ids"] == [*plain[0], 2]
    assert prompt_ids(language, "The film").tolist() == plain


# Streaming


@pytest.mark.parametrize("config", [GREEDY, SAMPLED, replace(SAMPLED, seed=3)])
def test_parts_join_to_the_text(writer, config):
    parts: list[str] = []
    (one,) = write_texts(writer, "A film\nof two lines", config, parts.append)
    assert "".join(parts) == one.text
    assert len(parts) > 1


# Errors


def error_of(folder: object, prompt: str = "The film", **settings: object) -> ThawlineError:
    with pytest.raises(ThawlineError) as caught:
        list(write_texts(load_language_model(str(folder)), prompt, replace(SAMPLED, **settings)))
    return caught.value


def test_model_that_is_not_causal_is_an_error(tmp_path, toy_backbone):
    folder = Path(shutil.copytree(toy_backbone("bert"), tmp_path / "bert"))
    (folder / "model.safetensors").unlink()
    error = error_of(folder)
    assert f"'{folder}'" in error.expected
    assert "llama, qwen3" in error.expected
    assert "'bert'" in error.found


@pytest.mark.parametrize("family", FAMILIES)
def test_base_model_without_a_head_is_an_error(toy_backbone, family):
    error = error_of(toy_backbone(family))
    assert f"'{toy_backbone(family)}'" in error.expected
    assert "lm_head.weight" in error.found


def test_base_model_with_tied_embeddings(tmp_path, qwen):
    qwen.model.base_model.save_pretrained(tmp_path / "base")
    qwen.tokenizer.save_pretrained(tmp_path / "base")
    base = load_language_model(str(tmp_path / "base"))
    assert written(base, GREEDY).text == written(qwen, GREEDY).text


@pytest.mark.parametrize("family", FAMILIES)
def test_untied_head_is_loaded(tmp_path, family):
    save_writer(tmp_path / "own", family, tie_word_embeddings=False)
    own = load_language_model(str(tmp_path / "own"))
    assert "lm_head.weight" in dict(own.model.named_parameters())
    assert written(own, GREEDY).tokens > 0


def test_missing_weight_is_an_error(tmp_path, toy_writer):
    folder = Path(shutil.copytree(toy_writer(), tmp_path / "short"))
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.3.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    error = error_of(folder)
    assert f"'{folder}'" in error.expected
    assert "1" in error.found
    assert "model.layers.3.mlp.up_proj.weight" in error.found


def test_pickle_is_an_error(tmp_path, qwen):
    qwen.tokenizer.save_pretrained(tmp_path / "pickle")
    qwen.model.config.save_pretrained(tmp_path / "pickle")
    torch.save(qwen.model.state_dict(), tmp_path / "pickle" / "pytorch_model.bin")
    error = error_of(tmp_path / "pickle")
    assert "model.safetensors" in error.found
    assert "pytorch_model.bin" in error.found


def test_too_long_prompt_is_an_error(toy_writer):
    error = error_of(toy_writer(), "x" * LIMIT)
    assert str(LIMIT - 1) in error.expected
    assert f"'{toy_writer()}'" in error.expected
    assert str(LIMIT + 1) in error.found
    language = load_language_model(str(toy_writer()))
    assert written(language, GREEDY, "x" * (LIMIT - 2)).tokens == 1


def test_empty_prompt_without_a_start_token_is_an_error(tmp_path, toy_writer):
    folder = Path(shutil.copytree(toy_writer("llama"), tmp_path / "unstarted"))
    language = load_language_model(str(folder))
    language.model.config.bos_token_id = None
    unstarted = replace(language, tokenizer=toy_tokenizer(causal=True))
    with pytest.raises(ThawlineError) as caught:
        prompt_ids(unstarted, "")
    assert f"'{folder}'" in caught.value.expected
    assert "thawline generate" in caught.value.fix


def test_several_greedy_samples_are_an_error(toy_writer):
    error = error_of(toy_writer(), temperature=0, samples=3)
    assert error.setting == "samples"
    assert "3" in error.found


def test_invalid_unicode_is_an_error(toy_writer):
    error = error_of(toy_writer(), "a \udcff")
    assert r"\udcff" in error.found


# The command


QUICK = ("--tokens", "12", "--device", "cpu")


def test_command_prints_the_text(toy_writer, qwen):
    options = ("--temperature", "1", "--top-k", "259", "--top-p", "1", "--seed", "4")
    done = thawline("generate", "The film", "--model", toy_writer(), *QUICK, *options)
    assert (done.code, done.err) == (0, "")
    text = written(qwen, replace(SAMPLED, tokens=12, seed=4)).text
    assert done.out == printable(f"{text}\n", "\n\t")


def test_command_prints_samples_as_json(toy_writer):
    options = ("--model", toy_writer(), *QUICK, "--samples", "2", "--seed", "3")
    done = thawline("generate", "The film", *options, "--json")
    assert [one["seed"] for one in done.json_lines] == [3, 4]
    for one in done.json_lines:
        assert one.keys() == {"model", *GeneratedText.__dataclass_fields__}
        assert one["text"] == f"The film{one['written']}"
    plain = thawline("generate", "The film", *options)
    text = "\n---\n".join(one["text"] for one in done.json_lines) + "\n"
    assert plain.out == printable(text, "\n\t")


def test_command_streams_on_a_terminal(toy_writer, monkeypatch):
    import io

    parts = []

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

        def write(self, text: str) -> int:
            parts.append(text)
            return super().write(text)

    options = ("generate", "The film", "--model", toy_writer(), *QUICK, "--samples", "2")
    plain = thawline(*options)
    monkeypatch.setattr("tests.support.command_line.io.StringIO", Terminal)
    shown = thawline(*options)
    assert (shown.code, shown.out) == (0, plain.out)
    assert len(parts) > 4


def test_command_takes_the_folder_of_a_run(toy_writer):
    shutil.copytree(toy_writer(), Path("run") / "model")
    write_record(Path("run") / "record.json", pretrain_record())
    done = thawline("generate", "The film", "--model", "run", *QUICK)
    assert done.out == thawline("generate", "The film", "--model", toy_writer(), *QUICK).out != ""


def test_command_without_a_prompt(toy_writer):
    done = thawline("generate", "--model", toy_writer(), *QUICK, "--json")
    assert (done.json["prompt"], done.json["prompt_tokens"]) == ("", 1)
