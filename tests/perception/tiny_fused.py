"""Tiny random detectors that read picture and prompts together, in Hugging Face format, made on the spot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import transformers

from tests.perception import tiny

FAMILIES = ("grounding-dino", "mm-grounding-dino", "omdet-turbo")
WORDS = ("a", "red", "green", "block", "bowl", "cup", "the", "of", "photo")


def save(folder: Path, family: str, queries: int = 12, text_limit: int = 24) -> Path:
    """Save a random detector of one of FAMILIES with its tokenizer and preprocessor."""
    torch.manual_seed(0)
    if family == "omdet-turbo":
        return _save_omdet(folder, queries, text_limit)
    return _save_grounding_dino(folder, family, queries, text_limit)


def bert_tokenizer() -> transformers.BertTokenizer:
    """WordPiece over words and letters, with the ids of [CLS], [SEP], "." and "?" that Grounding DINO holds fixed."""
    vocabulary = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103, ".": 1012, "?": 1029}
    pieces = [*WORDS, *"bcdefghijklmnopqrstuvwxyz", *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz")]
    vocabulary |= {piece: 200 + number for number, piece in enumerate(pieces)}
    return transformers.BertTokenizer(vocab=vocabulary, do_lower_case=True)


def _swin() -> Any:
    swin: Any = transformers.SwinConfig
    return swin(
        image_size=64, patch_size=4, embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 1, 1], window_size=4, out_indices=[2, 3, 4]
    )


def _save_grounding_dino(folder: Path, family: str, queries: int, text_limit: int) -> Path:
    mm = family == "mm-grounding-dino"
    config_class: Any = transformers.MMGroundingDinoConfig if mm else transformers.GroundingDinoConfig
    network_class: Any = transformers.MMGroundingDinoForObjectDetection if mm else transformers.GroundingDinoForObjectDetection
    text = transformers.BertConfig(
        vocab_size=1030, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=text_limit,
    )  # fmt: skip
    config = config_class(
        backbone_config=_swin(), text_config=text, d_model=32, num_queries=queries, max_text_len=text_limit,
        encoder_layers=1, decoder_layers=2, encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32,
    )  # fmt: skip
    network = network_class(config)
    _stir(network)
    network.save_pretrained(folder)
    bert_tokenizer().save_pretrained(folder)
    _save_preprocessor(folder, "GroundingDinoImageProcessor", {"shortest_edge": 96, "longest_edge": 160})
    return folder


def _save_omdet(folder: Path, queries: int, text_limit: int) -> Path:
    tokenizer = tiny.tokenizer()
    text = transformers.CLIPTextConfig(
        vocab_size=516, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=text_limit, bos_token_id=tiny.BOS, eos_token_id=tiny.EOS, pad_token_id=0,
    )  # fmt: skip
    config = transformers.OmDetTurboConfig(
        backbone_config=_swin(), text_config=text, num_queries=queries, image_size=64, apply_layernorm_after_vision_backbone=False,
        text_projection_in_dim=16, text_projection_out_dim=16, class_embed_dim=16, task_encoder_hidden_dim=16,
        vision_features_channels=[32, 32, 32], encoder_in_channels=[16, 32, 64], encoder_hidden_dim=32, decoder_hidden_dim=32,
        encoder_attention_heads=2, decoder_num_heads=2, encoder_dim_feedforward=32, decoder_dim_feedforward=32, decoder_num_layers=2,
    )  # fmt: skip
    network = transformers.OmDetTurboForObjectDetection(config)
    _stir(network)
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    _save_preprocessor(folder, "DetrImageProcessor", {"height": 64, "width": 64})
    return folder


def _stir(network: torch.nn.Module) -> None:
    """Heads start at zero, which would make all boxes and all prompts alike."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)


def _save_preprocessor(folder: Path, kind: str, size: dict[str, int]) -> None:
    settings = {
        "image_processor_type": kind, "do_resize": True, "size": size, "do_rescale": True, "do_normalize": True, "do_pad": True,
        "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225],
    }  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
