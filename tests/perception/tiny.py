"""Tiny random checkpoints in Hugging Face format, made on the spot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray

BOS, EOS = 514, 515
_BYTES = [*range(33, 127), *range(161, 173), *range(174, 256)]


def tokenizer() -> transformers.CLIPTokenizer:
    """Byte-level CLIP tokenizer without merges; the end token has the largest id."""
    letters = [chr(code) for code in _BYTES] + [chr(256 + extra) for extra in range(256 - len(_BYTES))]
    pieces = ["<pad>", *letters, *(letter + "</w>" for letter in letters), "<unk>", "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    assert vocabulary["<|endoftext|>"] == EOS
    return transformers.CLIPTokenizer(
        vocab=vocabulary, merges=[], unk_token="<unk>", pad_token="<pad>", bos_token="<|startoftext|>", eos_token="<|endoftext|>"
    )


def _text(limit: int = 16) -> dict[str, object]:
    return {
        "vocab_size": 516,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": limit,
        "bos_token_id": BOS,
        "eos_token_id": EOS,
        "pad_token_id": 0,
    }


def _vision(side: int, patch: int = 16) -> dict[str, object]:
    return {
        "hidden_size": 48,
        "intermediate_size": 96,
        "num_hidden_layers": 4,
        "num_attention_heads": 3,
        "image_size": side,
        "patch_size": patch,
    }


def save_owl(folder: Path, family: str = "owlvit", seed: int = 0, side: int = 64, **extra: object) -> Path:
    """Save a random OWL-ViT or OWLv2 with its tokenizer and preprocessor; `extra` goes into config.json."""
    torch.manual_seed(seed)
    v2 = family == "owlv2"
    config_class: Any = transformers.Owlv2Config if v2 else transformers.OwlViTConfig
    network_class: Any = transformers.Owlv2ForObjectDetection if v2 else transformers.OwlViTForObjectDetection
    config = config_class(text_config=_text(), vision_config=_vision(side), projection_dim=32)
    network = network_class(config)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "head" in name and name.endswith("weight"):
                parameter.mul_(0.1)
    _save(folder, network, "Owlv2ImageProcessor" if v2 else "OwlViTImageProcessor", side, 2 if v2 else 3, extra)
    return folder


def save_clipseg(
    folder: Path, seed: int = 0, side: int = 64, patch: int = 16, complex_upsampling: bool = True, **extra: object
) -> Path:
    """Save a random CLIPSeg with its tokenizer and preprocessor; `extra` goes into config.json."""
    torch.manual_seed(seed)
    config = transformers.CLIPSegConfig(
        text_config=_text(),
        vision_config=_vision(side, patch),
        projection_dim=32,
        extract_layers=[0, 1, 2],
        reduce_dim=32,
        decoder_num_attention_heads=2,
        decoder_intermediate_size=64,
        use_complex_transposed_convolution=complex_upsampling,
    )
    network = transformers.CLIPSegForImageSegmentation(config)
    with torch.no_grad():
        for parameter in network.decoder.parameters():
            parameter.mul_(0.3)
    _save(folder, network, "ViTImageProcessor", side, 2, extra)
    return folder


def _save(folder: Path, network: transformers.PreTrainedModel, processor: str, side: int, resample: int, extra: dict[str, object]) -> None:
    network.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(
        json.dumps(
            {
                "image_processor_type": processor,
                "do_resize": True,
                "size": {"height": side, "width": side},
                "resample": resample,
                "do_rescale": True,
                "do_normalize": True,
                "image_mean": [0.48145466, 0.4578275, 0.40821073],
                "image_std": [0.26862954, 0.26130258, 0.27577711],
            }
        )
    )
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | extra))


def picture(height: int = 96, width: int = 128, seed: int = 0) -> NDArray[np.uint8]:
    """A random smooth-ish RGB picture."""
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    return np.repeat(np.repeat(coarse, 8, axis=0), 8, axis=1)
