"""The two tiny networks and the towers they share.

An OwlViTForObjectDetection and a CLIPSeg decoder learn together on one image tower and one text tower; saved, they are two ordinary
Hugging Face checkpoints whose tower weights are the same numbers under CLIPSeg's names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    CLIPSegConfig,
    CLIPSegForImageSegmentation,
    CLIPTokenizer,
    OwlViTConfig,
    OwlViTForObjectDetection,
)

from seesay.perception.training.vocabulary import COLOURS, LENGTH, SHAPES

IMAGE, PATCH = 256, 16
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
WIDTH, LAYERS, HEADS = 160, 6, 5
TEXT_WIDTH, TEXT_LAYERS, TEXT_HEADS = 128, 2, 4
PROJECTION = 128
EXTRACT = (1, 3, 5)
FINE = 4
"""Cells of a patch, each way, whose shape the auxiliary head tells."""
PRIOR = -4.6
"""First logit of every class: sigmoid(-4.6) = 0.01 (RetinaNet's prior)."""


def configurations(vocabulary: int) -> tuple[OwlViTConfig, CLIPSegConfig]:
    """Configurations of both networks for a tokenizer of `vocabulary` tokens."""
    vision: dict[str, Any] = {
        "hidden_size": WIDTH, "intermediate_size": 4 * WIDTH, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
        "image_size": IMAGE, "patch_size": PATCH,
    }  # fmt: skip
    text: dict[str, Any] = {
        "vocab_size": vocabulary, "hidden_size": TEXT_WIDTH, "intermediate_size": 4 * TEXT_WIDTH, "num_hidden_layers": TEXT_LAYERS,
        "num_attention_heads": TEXT_HEADS, "max_position_embeddings": LENGTH, "pad_token_id": 0, "bos_token_id": vocabulary - 2,
        "eos_token_id": vocabulary - 1,
    }  # fmt: skip
    owl = OwlViTConfig(text_config=text, vision_config=vision, projection_dim=PROJECTION)
    seg = CLIPSegConfig(
        text_config=text, vision_config=vision, projection_dim=PROJECTION, extract_layers=list(EXTRACT), reduce_dim=96,
        decoder_num_attention_heads=4, decoder_intermediate_size=256, use_complex_transposed_convolution=True,
    )  # fmt: skip
    return owl, seg


class Student(nn.Module):
    """Detector, mask decoder and two auxiliary heads (colour and shape of each patch) that only training uses."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        owl, seg = configurations(vocabulary)
        owl._attn_implementation = seg._attn_implementation = "eager"  # bfloat16 on a CPU: SDPA's backward pass is slower
        self.owl = OwlViTForObjectDetection(owl)
        self.decoder = CLIPSegForImageSegmentation(seg).decoder
        self.colour = nn.Linear(WIDTH, len(COLOURS) + 1)
        self.shape = nn.Linear(WIDTH, len(SHAPES) + 1)
        self.early_shape = nn.Linear(WIDTH, len(SHAPES) + 1)
        self.fine_shape = nn.Linear(WIDTH, FINE * FINE * (len(SHAPES) + 1))
        self.apply(_initialise)
        for layer in self.owl.owlvit.vision_model.encoder.layers:
            _mimic(layer.self_attn)
        nn.init.zeros_(self.owl.box_head.dense2.weight)
        nn.init.zeros_(self.owl.box_head.dense2.bias)
        head = self.owl.class_head
        nn.init.zeros_(head.logit_scale.weight)
        nn.init.constant_(head.logit_scale.bias, 9.0)
        nn.init.zeros_(head.logit_shift.weight)
        nn.init.constant_(head.logit_shift.bias, PRIOR / 10)
        embeddings = self.owl.owlvit.vision_model.embeddings
        nn.init.normal_(embeddings.class_embedding, std=0.5)
        with torch.no_grad():
            embeddings.position_embedding.weight[1:] = 0.5 * waves(IMAGE // PATCH, WIDTH)

    @torch.no_grad()
    def whiten(self, pixels: Tensor) -> None:
        """Start the patch embedding as the whitened principal components of `(B, 3, S, S)` pictures' patches.

        The first layer then passes on as much of the picture as it can, at equal strength (as Page's and Jordan's fast CIFAR-10 nets do).
        """
        patches = nn.functional.unfold(pixels, PATCH, stride=PATCH).transpose(1, 2).flatten(0, 1)
        values, vectors = torch.linalg.eigh(torch.cov(patches.T))
        values, vectors = values.flip(0)[:WIDTH], vectors.flip(1)[:, :WIDTH]
        weight = (vectors / (values + 1e-2).sqrt()).T
        self.owl.owlvit.vision_model.embeddings.patch_embedding.weight.copy_(weight.reshape(WIDTH, 3, PATCH, PATCH))

    def encode_text(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Token ids `(K, L)` to raw condition vectors `(K, PROJECTION)`."""
        pooled: Tensor = self.owl.owlvit.get_text_features(input_ids=ids, attention_mask=mask).pooler_output
        return pooled

    def encode_image(self, pixels: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
        """`(B, 3, S, S)` normalised pixels to the activations of all layers, the merged patch features and the plain patch features."""
        tower = self.owl.owlvit.vision_model
        hidden = tower.pre_layernorm(tower.embeddings(pixels, interpolate_pos_encoding=pixels.shape[-1] != IMAGE))
        activations = []
        for layer in tower.encoder.layers:
            hidden = layer(hidden, None)
            activations.append(hidden)
        features = tower.post_layernorm(hidden)
        merged = self.owl.layer_norm(features[:, 1:] * features[:, :1])
        return activations, merged, features[:, 1:]

    def boxes(self, merged: Tensor, grid: int) -> Tensor:
        """`(B, N, 4)` boxes as centre and size, relative to the picture."""
        bias = self.owl.box_bias if grid == IMAGE // PATCH else self.owl.compute_box_bias(grid, grid)
        boxes: Tensor = (self.owl.box_head(merged).float() + bias).sigmoid()
        return boxes

    def logits(self, merged: Tensor, text: Tensor) -> Tensor:
        """`(B, N, K)` class logits, as Hugging Face's class head computes them."""
        head = self.owl.class_head
        image = head.dense0(merged).float()
        image = image / (image.norm(dim=-1, keepdim=True) + 1e-6)
        query = nn.functional.normalize(text.float(), dim=-1)
        query = query / (query.norm(dim=-1, keepdim=True) + 1e-6)
        scale = nn.functional.elu(head.logit_scale(merged).float()) + 1
        logits: Tensor = (image @ query.T + head.logit_shift(merged).float()) * scale
        return logits

    def masks(self, activations: list[Tensor], text: Tensor) -> Tensor:
        """`(B, S, S)` mask logits for one condition vector a picture."""
        logits: Tensor = self.decoder([activations[i] for i in EXTRACT], text).logits
        return logits


def normalise(pixels: Tensor) -> Tensor:
    """`(B, S, S, 3) uint8` RGB to `(B, 3, S, S) float32` as the towers take it."""
    mean, std = 255 * torch.tensor(MEAN), 255 * torch.tensor(STD)
    return ((pixels.float() - mean) / std).permute(0, 3, 1, 2).contiguous()


def _mimic(attention: Any) -> None:
    """Start attention near what trained towers show: queries match keys of like position, values pass with a sign.

    Mimetic initialisation, Trockman and Kolter 2023.
    """
    heads = WIDTH // HEADS
    with torch.no_grad():
        for head in range(HEADS):
            rows = slice(head * heads, (head + 1) * heads)
            u, s, v = torch.linalg.svd(0.7 * torch.randn(WIDTH, WIDTH) / WIDTH**0.5 + 0.7 * torch.eye(WIDTH))
            attention.q_proj.weight[rows] = (u[:, :heads] * s[:heads].sqrt()).T
            attention.k_proj.weight[rows] = s[:heads].sqrt()[:, None] * v[:heads]
        u, s, v = torch.linalg.svd(0.4 * torch.randn(WIDTH, WIDTH) / WIDTH**0.5 - 0.4 * torch.eye(WIDTH))
        attention.v_proj.weight.copy_(s.sqrt()[:, None] * v)
        attention.out_proj.weight.copy_(u * s.sqrt())


def waves(grid: int, width: int) -> Tensor:
    """`(grid * grid, width)` sine and cosine position codes of rows and columns (Vaswani et al. 2017), smooth so that they interpolate."""
    rates = 100.0 ** -torch.linspace(0, 1, width // 4)
    angles = torch.arange(grid)[:, None] * rates[None]
    line = torch.cat([angles.sin(), angles.cos()], 1)
    rows, columns = line[:, None].expand(grid, grid, -1), line[None].expand(grid, grid, -1)
    return torch.cat([rows, columns], 2).flatten(0, 1)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, std=0.05)
    elif isinstance(module, nn.LayerNorm):
        nn.init.ones_(module.weight)
        nn.init.zeros_(module.bias)


def export(student: Student, tokenizer: CLIPTokenizer, out: Path, threshold: float, mask_threshold: float) -> None:
    """Write `owlvit-tabletop` and `clipseg-tabletop` below `out`, each readable by Hugging Face's own from_pretrained."""
    owl_config, seg_config = configurations(len(tokenizer))
    owl = OwlViTForObjectDetection(owl_config)
    owl.load_state_dict(student.owl.state_dict())
    seg = CLIPSegForImageSegmentation(seg_config)
    state = seg.state_dict()
    for name, value in student.owl.state_dict().items():
        renamed = name.replace("owlvit.", "clip.", 1).replace("pre_layernorm", "pre_layrnorm")
        if renamed in state:
            state[renamed] = value
    state |= {f"decoder.{name}": value for name, value in student.decoder.state_dict().items()}
    seg.load_state_dict(state)
    for model, folder, kind, extra in (
        (owl, "owlvit-tabletop", "OwlViTImageProcessor", {"threshold": threshold}),
        (seg, "clipseg-tabletop", "ViTImageProcessor", {"mask_threshold": mask_threshold}),
    ):
        model.config.seesay = extra
        model.save_pretrained(out / folder)
        tokenizer.save_pretrained(out / folder)
        _processor(kind).save_pretrained(out / folder)


def _processor(kind: str) -> Any:
    import transformers

    plain = hasattr(transformers, kind + "Pil")  # the same processor without torchvision; its class is new in transformers 5
    return getattr(transformers, kind + "Pil" if plain else kind)(
        size={"height": IMAGE, "width": IMAGE}, resample=3, do_resize=True, do_rescale=True, do_normalize=True,
        image_mean=list(MEAN), image_std=list(STD),
    )  # fmt: skip
