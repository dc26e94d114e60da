from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.support.command_line import thawline
from tests.support.toys import LIMIT, save_writer, toy_tokenizer
from thawline.backbones.language import LanguageModel, load_language_model
from thawline.config import WritingConfig
from thawline.errors import ThawlineError
from thawline.pretraining.generation import Written, prompt_ids, write_texts

FAMILIES = ("qwen3", "llama")
GREEDY = WritingConfig(tokens=20, temperature=0, device="cpu")
DRAWN = WritingConfig(tokens=20, temperature=1.0, top_k=259, top_p=1.0, device="cpu")


@pytest.fixture(scope="module", params=FAMILIES)
def writer(request, toy_writer) -> LanguageModel:
    return load_language_model(str(toy_writer(request.param)))


@pytest.fixture
def qwen(toy_writer) -> LanguageModel:
    return load_language_model(str(toy_writer()))


def written(language: LanguageModel, config: WritingConfig, prompt: str = "The film") -> Written:
    (one,) = write_texts(language, prompt, config)
    return one


@torch.no_grad()
def stepwise(language: LanguageModel, prompt: str, steps: int) -> list[int]:
    """Return the likeliest tokens, each from a pass over all before it, without a cache."""
    ids = language.tokenizer(prompt, return_tensors="pt")["input_ids"]
    before = ids.shape[1]
    for _ in range(steps):
        likeliest = language.model(ids, use_cache=False).logits[0, -1].argmax()
        ids = torch.cat([ids, likeliest.view(1, 1)], dim=1)
        if int(likeliest) in language.end_ids:
            break
    return ids[0, before:].tolist()


# What is written


def test_greedy_writes_the_likeliest_token_at_each_step(writer):
    ids = stepwise(writer, "The film", 20)
    one = written(writer, GREEDY)
    assert one.written == writer.tokenizer.decode(ids, skip_special_tokens=True)
    assert one.text == f"The film{one.written}"
    assert (one.prompt_tokens, one.tokens) == (9, len(ids))  # 8 bytes and the first token
    assert len(set(ids)) > 1


def test_a_seed_writes_the_same_again_and_another_seed_another_text(writer):
    first, again = written(writer, DRAWN), written(writer, DRAWN)
    assert replace(first, seconds=0) == replace(again, seconds=0)
    assert written(writer, replace(DRAWN, seed=1)).text != first.text


def test_a_seed_is_independent_of_what_was_drawn_before_and_moves_no_other_draw(qwen):
    torch.manual_seed(5)
    first, drawn = written(qwen, DRAWN), torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(1), drawn)
    assert written(qwen, DRAWN).text == first.text


def test_the_likeliest_token_of_one_is_the_greedy_one(writer):
    assert written(writer, replace(DRAWN, top_k=1)).text == written(writer, GREEDY).text


def test_a_small_share_leaves_the_likeliest_token(writer):
    assert written(writer, replace(DRAWN, top_p=1e-6)).text == written(writer, GREEDY).text


def test_a_low_temperature_comes_near_the_greedy_text(writer):
    assert written(writer, replace(DRAWN, temperature=1e-4)).text == written(writer, GREEDY).text
    assert written(writer, DRAWN).text != written(writer, GREEDY).text


def test_each_sample_has_a_seed_of_its_own_which_writes_it_alone(qwen):
    three = list(write_texts(qwen, "The film", replace(DRAWN, seed=7, samples=3)))
    assert [one.seed for one in three] == [7, 8, 9]
    assert len({one.text for one in three}) == 3
    assert written(qwen, replace(DRAWN, seed=8)).text == three[1].text


def test_what_the_checkpoint_suggests_does_not_count(tmp_path, toy_writer, qwen):
    folder = Path(shutil.copytree(toy_writer(), tmp_path / "suggesting"))
    path = folder / "generation_config.json"
    suggested = {"do_sample": True, "temperature": 0.01, "top_k": 1, "repetition_penalty": 9.0}
    path.write_text(json.dumps(json.loads(path.read_text()) | suggested))
    suggesting = load_language_model(str(folder))
    assert suggesting.model.generation_config.repetition_penalty == 9.0
    assert written(suggesting, DRAWN).text == written(qwen, DRAWN).text
    assert written(suggesting, GREEDY).text == written(qwen, GREEDY).text


def test_an_empty_prompt_starts_from_the_token_that_starts_a_text(qwen):
    one = written(qwen, GREEDY, "")
    assert prompt_ids(qwen, "").tolist() == [[1]]
    assert (one.prompt, one.prompt_tokens, one.text) == ("", 1, one.written)
    assert one.tokens > 0


# Where it stops


def test_it_stops_at_the_end_of_the_text(qwen):
    for seed in range(60):
        one = written(qwen, replace(DRAWN, tokens=30, seed=seed, temperature=3.0))
        assert (one.stopped == "end") == (one.tokens < 30)
        assert "<eos>" not in one.text
        if one.stopped == "end":
            return
    raise AssertionError("none of the texts ended")


def test_it_stops_after_so_many_tokens_or_at_the_limit_of_the_model(qwen):
    qwen.model.generation_config.eos_token_id = qwen.model.config.eos_token_id = None
    qwen.tokenizer.eos_token = None
    assert qwen.end_ids == []
    one = written(qwen, replace(GREEDY, tokens=5))
    assert (one.tokens, one.stopped) == (5, "tokens")
    one = written(qwen, replace(GREEDY, tokens=500))
    assert (one.prompt_tokens + one.tokens, one.stopped) == (LIMIT, "limit")


def test_an_end_that_the_tokenizer_adds_to_a_prompt_is_taken_off(tmp_path, toy_writer):
    from tokenizers import processors

    folder = Path(shutil.copytree(toy_writer(), tmp_path / "ending"))
    language = load_language_model(str(folder))
    plain = prompt_ids(language, "The film").tolist()
    language.tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A <eos>", special_tokens=[("<bos>", 1), ("<eos>", 2)]
    )
    assert language.tokenizer("The film")["input_ids"] == [*plain[0], 2]
    assert prompt_ids(language, "The film").tolist() == plain


# Piece by piece


@pytest.mark.parametrize("config", [GREEDY, DRAWN, replace(DRAWN, seed=3)])
def test_the_pieces_make_the_text(writer, config):
    pieces: list[str] = []
    (one,) = write_texts(writer, "A film\nof two lines", config, pieces.append)
    assert "".join(pieces) == one.text
    assert len(pieces) > 1


# What is refused


def problem(folder: object, prompt: str = "The film", **settings: object) -> str:
    with pytest.raises(ThawlineError) as caught:
        list(write_texts(load_language_model(str(folder)), prompt, replace(DRAWN, **settings)))
    return str(caught.value).replace(str(folder), "FOLDER")


def test_a_model_that_is_not_causal_is_refused_before_its_weights_are_read(tmp_path, toy_backbone):
    folder = Path(shutil.copytree(toy_backbone("bert"), tmp_path / "bert"))
    (folder / "model.safetensors").unlink()
    assert problem(folder) == (
        "expected a causal language model (llama, qwen3) in 'FOLDER', "
        "found model type 'bert', whose tokens see those after them; "
        "give a language model that writes from left to right"
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_a_base_model_whose_head_would_be_drawn_is_refused(toy_backbone, family):
    assert problem(toy_backbone(family)) == (
        "expected a language model with its head in 'FOLDER', "
        "found no lm_head.weight, as in the checkpoint of a base model; "
        "give a whole language model, such as a run of thawline pretrain"
    )


def test_a_base_model_that_shares_its_embeddings_with_the_head_writes(tmp_path, qwen):
    qwen.model.base_model.save_pretrained(tmp_path / "base")
    qwen.tokenizer.save_pretrained(tmp_path / "base")
    base = load_language_model(str(tmp_path / "base"))
    assert written(base, GREEDY).text == written(qwen, GREEDY).text


@pytest.mark.parametrize("family", FAMILIES)
def test_a_head_of_its_own_is_loaded(tmp_path, family):
    save_writer(tmp_path / "own", family, tie_word_embeddings=False)
    own = load_language_model(str(tmp_path / "own"))
    assert "lm_head.weight" in dict(own.model.named_parameters())
    assert written(own, GREEDY).tokens > 0


def test_other_missing_weights_are_named(tmp_path, toy_writer):
    folder = Path(shutil.copytree(toy_writer(), tmp_path / "short"))
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.3.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert problem(folder).startswith(
        "expected all weights of 'FOLDER', found 1 missing, model.layers.3.mlp.up_proj.weight the "
    )


def test_a_pickle_is_not_read(tmp_path, qwen):
    qwen.tokenizer.save_pretrained(tmp_path / "pickle")
    qwen.model.config.save_pretrained(tmp_path / "pickle")
    torch.save(qwen.model.state_dict(), tmp_path / "pickle" / "pytorch_model.bin")
    assert "no model.safetensors, only pytorch_model.bin, a pickle" in problem(tmp_path / "pickle")


def test_a_prompt_longer_than_the_model_takes_is_refused(toy_writer):
    assert problem(toy_writer(), "x" * LIMIT) == (
        f"expected a prompt of at most {LIMIT - 1} tokens, so that 'FOLDER' can add to it, "
        f"found {LIMIT + 1} tokens; shorten the prompt"
    )
    just = load_language_model(str(toy_writer()))
    assert written(just, GREEDY, "x" * (LIMIT - 2)).tokens == 1


def test_an_empty_prompt_is_refused_where_no_token_starts_a_text(tmp_path, toy_writer):
    folder = Path(shutil.copytree(toy_writer("llama"), tmp_path / "unstarted"))
    language = load_language_model(str(folder))
    language.model.config.bos_token_id = None
    unstarted = replace(language, tokenizer=toy_tokenizer(causal=True))
    with pytest.raises(ThawlineError) as caught:
        prompt_ids(unstarted, "")
    assert str(caught.value) == (
        "expected a prompt, as this model has no token that starts a text, found an empty one; "
        'write thawline generate "The film"'
    )


def test_several_greedy_samples_are_refused(toy_writer):
    assert problem(toy_writer(), temperature=0, samples=3) == (
        "expected one sample at temperature 0, which always writes the same, found 3 samples; "
        "give --samples 1, or a temperature above 0"
    )


def test_half_a_character_is_refused(toy_writer):
    assert problem(toy_writer(), "a \udcff").startswith("expected a prompt in UTF-8, found ")


# The verb


QUICK = ("--tokens", "12", "--device", "cpu")


def test_the_verb_writes_what_the_function_does(toy_writer, qwen):
    options = ("--temperature", "1", "--top-k", "259", "--top-p", "1", "--seed", "4")
    done = thawline("generate", "The film", "--model", toy_writer(), *QUICK, *options)
    assert (done.code, done.err) == (0, "")
    assert done.out == f"{written(qwen, replace(DRAWN, tokens=12, seed=4)).text}\n"


def test_the_verb_tells_every_sample_in_json(toy_writer):
    options = ("--model", toy_writer(), *QUICK, "--samples", "2", "--seed", "3")
    done = thawline("generate", "The film", *options, "--json")
    assert [one["seed"] for one in done.json_lines] == [3, 4]
    for one in done.json_lines:
        assert one.keys() == {"model", *Written.__dataclass_fields__}
        assert one["text"] == f"The film{one['written']}"
    plain = thawline("generate", "The film", *options)
    assert plain.out == "\n---\n".join(one["text"] for one in done.json_lines) + "\n"


def test_on_a_terminal_it_prints_as_it_writes_and_the_same_in_the_end(toy_writer, monkeypatch):
    import io

    pieces = []

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

        def write(self, text: str) -> int:
            pieces.append(text)
            return super().write(text)

    options = ("generate", "The film", "--model", toy_writer(), *QUICK, "--samples", "2")
    plain = thawline(*options)
    monkeypatch.setattr("tests.support.command_line.io.StringIO", Terminal)
    shown = thawline(*options)
    assert (shown.code, shown.out) == (0, plain.out)
    assert len(pieces) > 4


def test_a_pretraining_runs_folder_stands_for_its_model(toy_writer):
    shutil.copytree(toy_writer(), Path("run") / "model")
    finished = '{"status": "finished", "verb": "pretrain"}'
    (Path("run") / "record.json").write_text(finished, encoding="utf-8")
    given = thawline("generate", "The film", "--model", "run", *QUICK)
    assert given.out == thawline("generate", "The film", "--model", toy_writer(), *QUICK).out != ""


def test_without_a_prompt_it_starts_a_text(toy_writer):
    done = thawline("generate", "--model", toy_writer(), *QUICK, "--json")
    assert (done.json["prompt"], done.json["prompt_tokens"]) == ("", 1)
