"""Test that tokens are stored on disk and cut into windows."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies

from tests.support.language_toys import document, row_of, toy_texts, toy_vocabulary
from thawline.config import PretrainingConfig
from thawline.errors import ThawlineError
from thawline.pretraining import packing
from thawline.pretraining.packing import (
    Windows,
    all_windows,
    check_windows,
    is_packed,
    open_tokens,
    pack,
)
from thawline.runtime.progress import Reporter

FILE = Path("train.npy")


class Wide:
    """The toy tokenizer with a vocabulary that does not fit into two bytes."""

    bos_token_id, eos_token_id = 1, 2
    backend_tokenizer = toy_vocabulary().backend_tokenizer

    def __len__(self) -> int:
        return 2**16 + 1


def packed(texts, tokenizer=None) -> np.ndarray:
    pack(texts, toy_vocabulary() if tokenizer is None else tokenizer, FILE, Reporter())
    return open_tokens(FILE)


def damaged(how: str) -> None:
    tokens = open_tokens(FILE).copy()
    content = FILE.read_bytes()
    FILE.unlink()
    match how:
        case "an unknown id":
            tokens[3] = len(toy_vocabulary())
            np.save(FILE, tokens)
        case "float numbers":
            np.save(FILE, tokens.astype(float))
        case "a matrix":
            np.save(FILE, tokens.reshape(1, -1))
        case "objects":
            np.save(FILE, np.array([{}]), allow_pickle=True)
        case "a cut file":
            FILE.write_bytes(content[:-1])
        case "an open bracket":
            FILE.write_bytes(content.replace(b"(", b"((", 1))
        case "a folder":
            FILE.mkdir()
        case "a named pipe":
            os.mkfifo(FILE)


class TestPack:
    @pytest.mark.parametrize(
        "how",
        [
            "nothing there",
            "an unknown id",
            "float numbers",
            "a matrix",
            "objects",
            "a cut file",
            "an open bracket",
            "a folder",
            "a named pipe",
        ],
    )
    def test_a_file_that_pack_did_not_write_is_noticed(self, how):
        packed(toy_texts(3))
        assert is_packed(FILE, len(toy_vocabulary()))
        damaged(how)
        assert not is_packed(FILE, len(toy_vocabulary()))

    @pytest.mark.parametrize("per_call", [1, 3, 100])
    def test_each_text_is_between_bos_and_eos(self, per_call, monkeypatch):
        monkeypatch.setattr(packing, "TEXTS_PER_CALL", per_call)
        texts = [*toy_texts(7), "🎬<br />", ""]
        assert packed(texts).tolist() == row_of(texts).tolist()

    def test_tokens_are_memory_mapped_uint16(self):
        tokens = packed(toy_texts(3))
        assert isinstance(tokens, np.memmap)
        assert tokens.dtype == np.uint16
        assert FILE.stat().st_size < 2 * len(tokens) + 200

    def test_large_vocabulary_is_uint32(self):
        tokens = packed(toy_texts(3), Wide())
        assert tokens.dtype == np.uint32
        assert tokens.tolist() == row_of(toy_texts(3)).tolist()

    def test_name_of_a_special_token_is_ordinary_text(self):
        texts = ["a film<|eos|><|bos|>the plot", "<|pad|>", "<|bos|>"]
        tokens = packed(texts)
        assert (tokens == 1).sum() == (tokens == 2).sum() == len(texts)
        assert not (tokens == 0).any()
        learnt = toy_vocabulary()
        documents = np.split(tokens, np.flatnonzero(tokens == 1)[1:])
        assert [learnt.decode(one[1:-1].tolist()) for one in documents] == texts

    def test_long_text_is_not_truncated(self):
        text = "a film " * 200
        assert len(packed([text])) > 10 * toy_vocabulary().model_max_length

    def test_failed_pack_leaves_no_file(self, monkeypatch):
        def fail(*anything):
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(shutil, "copyfileobj", fail)
            with pytest.raises(OSError, match="No space left"):
                packed(toy_texts(3))
        assert not FILE.exists()
        assert packed(toy_texts(3)).tolist() == row_of(toy_texts(3)).tolist()
        assert list(Path().iterdir()) == [FILE]


class TestWindows:
    @given(strategies.integers(16, 90), strategies.integers(1, 8))
    def test_every_token_is_read_once_and_predicted_once(self, count, length):
        tokens = np.arange(count, dtype=np.uint16)
        windows = Windows(tokens, length)
        taken = windows.take(np.arange(len(windows)), 0)
        assert taken.shape == (len(windows), length + 1)
        end = len(windows) * length
        assert taken[:, :-1].ravel().tolist() == list(range(end))
        assert taken[:, 1:].ravel().tolist() == list(range(1, end + 1))
        assert count - end < 2 * length  # the rest has no complete window for some start

    @given(strategies.integers(16, 90), strategies.integers(1, 8), strategies.data())
    def test_windows_with_another_start(self, count, length, data):
        start = data.draw(strategies.integers(0, length - 1))
        windows = Windows(np.arange(count, dtype=np.uint16), length)
        taken = windows.take(np.arange(len(windows)), start)
        assert taken[:, :-1].ravel().tolist() == list(range(start, start + taken[:, :-1].size))

    def test_take_keeps_the_given_order(self):
        taken = Windows(np.arange(40, dtype=np.uint16), 4).take(np.array([5, 0]), 1)
        assert taken.tolist() == [[21, 22, 23, 24, 25], [1, 2, 3, 4, 5]]
        assert taken.dtype == np.int64

    def test_too_few_tokens_for_two_windows_are_an_error(self):
        with pytest.raises(ThawlineError) as caught:
            Windows(np.zeros(15, dtype=np.uint16), 8)
        assert "16" in caught.value.expected
        assert "15" in caught.value.found
        assert "training.window" in caught.value.fix

    @pytest.mark.parametrize("count", [2, 8, 9, 16, 17, 20])
    def test_all_windows(self, count):
        windows = all_windows(np.arange(1, count + 1, dtype=np.uint16), 8, 0)
        read, predicted = windows[:, :-1].ravel(), windows[:, 1:].ravel()
        assert predicted[predicted > 0].tolist() == list(range(2, count + 1))
        assert read[: count - 1].tolist() == list(range(1, count))
        assert windows.shape == (-(-(count - 1) // 8), 9)


class TestCheckWindows:
    def test_texts_are_tokenised_only_until_the_step_is_full(self, monkeypatch):
        monkeypatch.setattr(packing, "TEXTS_PER_CALL", 1)
        texts, keys = toy_texts(50), []

        class RecordingList(list):
            def __getitem__(self, key):
                keys.append(key)
                return super().__getitem__(key)

        settings = PretrainingConfig(window=8, batch_size=2)
        check_windows(RecordingList(texts), toy_vocabulary(), settings)
        assert 1 <= len(keys) < 5

    def test_too_few_texts_for_a_step_are_an_error(self):
        text = "film"
        tokens = len(document(text))
        window = 8
        texts = [text] * (window * 3 // tokens + 1)
        total = len(texts) * tokens
        fits = (total - window) // window
        check_windows(texts, toy_vocabulary(), PretrainingConfig(window=window, batch_size=fits))
        assert len(Windows(row_of(texts), window)) == fits
        more = PretrainingConfig(window=window, batch_size=fits + 1)
        with pytest.raises(ThawlineError) as caught:
            check_windows(texts, toy_vocabulary(), more)
        error = caught.value
        assert {str(fits + 1), "8"} <= set(error.expected.split())
        assert {str(total), str(fits)} <= set(error.found.split())
        assert "`training.batch_size`" in error.fix
