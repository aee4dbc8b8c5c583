"""A CLIP named by the user: what transformers says, once; the archive is looked at only where it was not yet."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from vss_ray.errors import ConfigError, ModelError
from vss_ray.lookup import text
from vss_ray.lookup.words import Words

hf = pytest.importorskip("transformers")
pytest.importorskip("PIL")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny CLIP as save_pretrained leaves it; it spells letter by letter."""
    folder = tmp_path_factory.mktemp("clip")
    letters = "abcdefghijklmnopqrstuvwxyz"
    tokens = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    special = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    config = hf.CLIPConfig(
        text_config={**sizes, **special, "vocab_size": len(tokens), "max_position_embeddings": 16},
        vision_config={**sizes, "image_size": 32, "patch_size": 8},
        projection_dim=12,
    )
    torch.manual_seed(0)
    hf.logging.set_verbosity_error()
    hf.logging.disable_progress_bar()
    hf.CLIPModel(config).save_pretrained(folder)
    hf.CLIPTokenizer(vocab={token: i for i, token in enumerate(tokens)}, merges=[]).save_pretrained(folder)
    crop = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    hf.CLIPImageProcessor(**crop).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def words(folder: Path) -> Words:
    return Words(str(folder))


@torch.inference_mode()
def test_it_says_what_transformers_says(folder, words):
    network = hf.CLIPModel.from_pretrained(folder).eval()
    processor = hf.CLIPProcessor.from_pretrained(folder)
    pictures = list(np.random.default_rng(0).integers(0, 256, (2, 40, 60, 3), np.uint8))
    answer = network(**processor(text=["a red bus"], images=pictures, return_tensors="pt"))
    np.testing.assert_allclose(words.of_text("a red bus"), answer.text_embeds[0].numpy(), atol=1e-5)
    np.testing.assert_allclose(words.of_pictures(pictures), answer.image_embeds.numpy(), atol=1e-5)
    assert np.linalg.norm(words.of_text("x")) == pytest.approx(1, abs=1e-5)


def test_long_texts_are_cut(words):
    assert words.of_text("bus " * 100).shape == (12,)


def test_the_digest_is_that_of_the_files(folder, words, tmp_path):
    other = shutil.copytree(folder, tmp_path / "other")
    assert Words(str(other)).digest == words.digest
    (other / "config.json").write_text((other / "config.json").read_text() + " ")
    assert Words(str(other)).digest != words.digest


def test_errors_say_what_was_wanted(folder, tmp_path):
    with pytest.raises(ConfigError, match=r"--model: there is no folder openai/clip, .+ name a commit with --revision"):
        Words("openai/clip")
    with pytest.raises(ModelError, match="--model: no folder nowhere, and it is no organization/name"):
        Words("nowhere")
    broken = shutil.copytree(folder, tmp_path / "broken")
    (broken / "model.safetensors").unlink()
    (broken / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(ModelError, match=r"no model\*\.safetensors in .+ no pickles"):
        Words(str(broken))
    hf.SegformerConfig().save_pretrained(tmp_path / "other")
    shutil.copy(folder / "model.safetensors", tmp_path / "other")
    with pytest.raises(ModelError, match="is a segformer; wanted a CLIP"):
        Words(str(tmp_path / "other"))


def test_the_archive_is_looked_at_once(run, words, monkeypatch):
    looked = []
    found = text.search_text(run, "a red bus", words, 5, on_clip=lambda done, total: looked.append((done, total)))
    assert looked == [(i + 1, len(looked)) for i in range(len(run.manifest()))]
    assert 0 < len(found) <= 5
    assert [s.score for s in found] == sorted((s.score for s in found), reverse=True)
    path = f"tables/clip-{words.digest[:16]}.parquet"
    content = run.location.read(path)
    monkeypatch.setattr(text, "decode", lambda clip: pytest.fail("looked again"))
    assert text.search_text(run, "a red bus", words, 5) == found
    assert run.location.read(path) == content


def test_what_was_seen_before_a_failure_stays_seen(run, words, monkeypatch):
    run.location.delete(f"tables/clip-{words.digest[:16]}.parquet")
    decode, clips = text.decode, []

    def once(clip):
        clips.append(clip)
        if len(clips) == 2:
            raise KeyboardInterrupt
        return decode(clip)

    monkeypatch.setattr(text, "decode", once)
    with pytest.raises(KeyboardInterrupt):
        text.search_text(run, "bus", words)
    looked = []
    text.search_text(run, "bus", words, on_clip=lambda *counts: looked.append(counts))
    assert len(looked) == len(run.manifest()) - 1
