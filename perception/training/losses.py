"""What the tiny networks are trained to do, as one loss."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from seesay.perception.training.model import PATCH, Student

SHAPES = 6


@dataclass(frozen=True)
class Weights:
    """How much each term counts. `inside` is the weight of covered patches that are not the primary one: positive early, 0 later."""

    inside: float = 0.25
    confusion: float = 2.0
    classes: float = 3.0
    box_l1: float = 3.0
    box_giou: float = 1.5
    auxiliary: float = 0.6
    mask: float = 0.7


def corners(boxes: Tensor) -> Tensor:
    """Centre-size to corner boxes, `(..., 4)`."""
    centre, half = boxes[..., :2], boxes[..., 2:] / 2
    return torch.cat([centre - half, centre + half], -1)


def giou(a: Tensor, b: Tensor) -> Tensor:
    """Generalised IoU of paired `(N, 4)` corner boxes (Rezatofighi et al. 2019)."""
    inner = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0).prod(1)
    areas = [(x[:, 2:] - x[:, :2]).clamp(min=0).prod(1) for x in (a, b)]
    union = areas[0] + areas[1] - inner + 1e-9
    hull = (torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])).prod(1) + 1e-9
    return inner / union - (hull - union) / hull


def focal(logits: Tensor, targets: Tensor, weights: Tensor, alpha: float = 0.3, gamma: float = 2.0) -> Tensor:
    """Weighted sum of the sigmoid focal loss (Lin et al. 2017)."""
    raw = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    p = torch.sigmoid(logits.detach())
    miss = targets * (1 - p) + (1 - targets) * p
    return (raw * (alpha * targets + (1 - alpha) * (1 - targets)) * miss**gamma * weights).sum()


def total(
    student: Student, pixels: Tensor, text: Tensor, matches: Tensor, targets: dict[str, Tensor], weights: Weights
) -> tuple[Tensor, dict[str, float]]:
    """Loss of one batch and its terms.

    pixels `(B, 3, S, S)`; text `(K, D)` raw prompt vectors; matches `(60, K) bool`: does pair p answer to prompt k;
    targets: a Batch as tensors, and `mask_prompt (B',)` prompt index, `mask (B', S, S)` wanted masks of the first B' pictures.
    """
    grid = pixels.shape[-1] // PATCH
    activations, merged, plain = student.encode_image(pixels)
    owner, primary = targets["token_object"], targets["primary"]
    covered = owner >= 0
    row = owner.clamp(min=0)
    counts = targets["counts"][row] & covered if len(targets["counts"]) else covered
    pair = targets["pairs"][row] if len(targets["pairs"]) else torch.zeros_like(owner)
    match = matches[pair] & covered[..., None]

    logits = student.logits(merged, text)
    positive = (primary & covered)[..., None] & match
    weight = torch.ones_like(logits)
    weight[match & ~positive] = weights.inside
    weight[match & ~counts[..., None]] = 0.0
    related = _related(matches, pair) & covered[..., None] & ~match
    weight[related] = weights.confusion
    wanted = (match & counts[..., None]).float() if weights.inside > 0 else positive.float()
    scale = positive.sum() + (weights.inside * (match & counts[..., None] & ~positive).sum() if weights.inside > 0 else 0)
    classes = focal(logits, wanted, weight) / scale.clamp(min=1)

    chosen = covered & counts
    if chosen.any():
        boxes = student.boxes(merged, grid)[chosen]
        truth = targets["boxes"][row[chosen]]
        share = torch.where(primary[chosen], 1.0, 0.3)
        share = share / share.sum()
        l1 = ((boxes - truth).abs().sum(1) * share).sum()
        overlap = ((1 - giou(corners(boxes), corners(truth))) * share).sum()
    else:
        l1 = overlap = merged.sum() * 0

    colour = torch.where(covered, pair // SHAPES + 1, 0).flatten()
    shape = torch.where(covered, pair % SHAPES + 1, 0).flatten()
    balance = torch.ones(7)
    balance[0] = 0.25
    auxiliary = (
        F.cross_entropy(student.colour(plain).float().flatten(0, 1), colour, weight=torch.cat([torch.tensor([0.25]), torch.ones(10)]))
        + F.cross_entropy(student.shape(plain).float().flatten(0, 1), shape, weight=balance)
        + 0.5 * F.cross_entropy(student.early_shape(activations[3][:, 1:]).float().flatten(0, 1), shape, weight=balance)
    )
    names = torch.where(targets["fine"] > 0, targets["pairs"][(targets["fine"] - 1).clamp(min=0)] % SHAPES + 1, 0)
    auxiliary = auxiliary + F.cross_entropy(student.fine_shape(plain).float().view(-1, 7), names.flatten(), weight=balance)

    number = len(targets["mask"])
    part = [a[:number] for a in activations]
    drawn = student.masks(part, text[targets["mask_prompt"][:number]]).float()
    mask = targets["mask"]
    bce = F.binary_cross_entropy_with_logits(drawn, mask)
    p = drawn.sigmoid()
    some = mask.flatten(1).any(1).float()
    dice = 1 - (2 * (p * mask).flatten(1).sum(1) + 1) / (p.flatten(1).sum(1) + mask.flatten(1).sum(1) + 1)
    dice = (dice * some).sum() / some.sum().clamp(min=1)
    masks = 4 * bce + dice

    boxes_loss = weights.box_l1 * l1 + weights.box_giou * overlap
    loss = weights.classes * classes + boxes_loss + weights.auxiliary * auxiliary + weights.mask * masks
    terms = {"class": classes, "l1": l1, "giou": overlap, "auxiliary": auxiliary, "bce": bce, "dice": dice}
    return loss, {name: float(value.detach()) for name, value in terms.items()}


def _related(matches: Tensor, pair: Tensor) -> Tensor:
    """Prompts that an object might be mistaken for: those that share a pair with its colour or its shape. `(B, N, K) bool`."""
    index = torch.arange(len(matches))
    near = (index[:, None] // SHAPES == index[None] // SHAPES) | (index[:, None] % SHAPES == index[None] % SHAPES)
    table = (near.float() @ matches.float()) > 0
    return table[pair]
