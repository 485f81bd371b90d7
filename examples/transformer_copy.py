"""A small language model that copies: a causal transformer reads some digits and a mark, and writes the digits once more.

    python examples/transformer_copy.py --epochs 4

At each place the model says what comes next. What comes before the mark can't be known, so only what follows it counts in the loss.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

import ls_core
from ls_core import Sequential
from ls_core.losses import SparseCategoricalCrossentropy
from ls_layers import Dense, Embedding, LayerNormalization, PositionEmbedding, TransformerDecoderBlock
from ls_optim import Adam
from ls_optim.schedules import CosineDecay

DIGITS, MARK, LEFT_OUT = 10, 10, -1


def copies(count: int, length: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (count, 2 length): digits, mark, digits; targets: the token that comes next, LEFT_OUT before the mark."""
    digits = np.random.default_rng(seed).integers(0, DIGITS, (count, length))
    tokens = np.concatenate([digits, np.full((count, 1), MARK), digits], axis=1)  # (count, 2 length + 1)
    targets = tokens[:, 1:].copy()
    targets[:, :length] = LEFT_OUT
    return tokens[:, :-1], targets


def write(model: Sequential, prompt: np.ndarray, count: int) -> np.ndarray:
    """The ``count`` tokens that follow each prompt (B, T), the most probable one at a time."""
    tokens = prompt
    for _ in range(count):
        following = model(tokens)[:, -1].argmax(axis=-1)  # (B,)
        tokens = np.concatenate([tokens, following[:, None]], axis=1)
    return tokens[:, prompt.shape[1] :]


def main(arguments: Sequence[str] | None = None) -> float:
    """Train, then write; returns the share of sequences that are copied without a mistake."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--length", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=4)
    options = parser.parse_args(arguments)
    ls_core.set_seed(0)

    x, y = copies(3200, options.length, seed=0)
    model = Sequential(
        [
            Embedding(DIGITS + 1, 32),
            PositionEmbedding(2 * options.length),
            TransformerDecoderBlock(64, num_heads=4, activation="gelu", normalize_first=True),
            TransformerDecoderBlock(64, num_heads=4, activation="gelu", normalize_first=True),
            LayerNormalization(),
            Dense(DIGITS + 1),
        ]
    )
    steps = options.epochs * (len(x) // 64)
    model.compile(
        Adam(CosineDecay(0.0, steps, warmup_target=0.005, warmup_steps=steps // 10), global_clipnorm=1.0),
        SparseCategoricalCrossentropy(from_logits=True, ignore_class=LEFT_OUT),
    )
    model.fit(x, y, epochs=options.epochs, batch_size=64)

    new, _ = copies(200, options.length, seed=1)
    prompts = new[:, : options.length + 1]
    written = write(model, prompts, options.length)
    for prompt, answer in zip(prompts[:3], written, strict=False):
        print(*prompt[:-1], "->", *answer)
    right = float((written == prompts[:, :-1]).all(axis=1).mean())
    print(f"copied without a mistake: {right:.3f} of {len(new)} new sequences")
    return right


if __name__ == "__main__":
    main()
