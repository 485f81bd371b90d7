"""ls-engine: the console command. Each subcommand's code is imported when it runs, so --help answers at once."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not 1 or more")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ls-engine", description="A neural-network engine written from scratch: train, predict, check, look."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, summary: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=summary, description=summary, formatter_class=argparse.ArgumentDefaultsHelpFormatter)

    demo = add("demo", "Write data.csv from Python's own docstrings, train two classifiers on it, evaluate, save, reload, draw.")
    demo.add_argument("--folder", default=".", help="where data.csv goes, and a folder demo with the model and the pictures")
    demo.add_argument("--seed", type=int, default=0)

    train = add("train", "Train a text classifier from a CSV file.")
    train.add_argument("csv", metavar="CSV")
    train.add_argument("--text", required=True, metavar="COL", help="the column that holds the texts")
    train.add_argument("--label", required=True, metavar="COL", help="the column that holds the labels")
    train.add_argument("--out", required=True, metavar="FILE", help="the model file to write")
    train.add_argument(
        "--model", choices=["pooled", "cnn"], default="pooled", help="global pooling with dropout, or the README's six layers"
    )
    train.add_argument("--vocabulary", type=_count, default=10000, metavar="N", help="largest vocabulary")
    train.add_argument("--width", type=_count, default=128, metavar="N", help="size of the embedding")
    train.add_argument("--filters", type=_count, default=128, metavar="N", help="filters of the convolution")
    train.add_argument("--dropout", type=float, default=0.5)
    train.add_argument("--epochs", type=_count, default=20, help="at most; training stops when the validation loss rises")
    train.add_argument("--patience", type=int, default=3, help="epochs without improvement before it stops")
    train.add_argument("--batch-size", type=_count, default=32)
    train.add_argument("--learning-rate", type=float, default=1e-3)
    train.add_argument("--validation-split", type=float, default=0.2)
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--device", choices=["numpy", "cupy", "auto"], default="numpy")

    tune = add("tune", "Search for the best options of a text classifier (needs the extra 'tune').")
    tune.add_argument("csv", metavar="CSV")
    tune.add_argument("--text", required=True, metavar="COL", help="the column that holds the texts")
    tune.add_argument("--label", required=True, metavar="COL", help="the column that holds the labels")
    tune.add_argument("--out", required=True, metavar="FILE", help="the file for the best model")
    tune.add_argument("--trials", type=_count, default=20, metavar="N", help="how many in the end, those in --storage included")
    tune.add_argument("--workers", type=_count, default=1, metavar="N", help="processes that train side by side")
    tune.add_argument("--storage", metavar="FILE", help="a journal; called again with it, a search goes on where it ended")
    tune.add_argument("--picture", metavar="PNG", help="draw values, importances and slices here")
    tune.add_argument("--rows", type=_count, default=10, metavar="N", help="rows of the table of the best trials")
    tune.add_argument("--metric", default="val_accuracy", help="what decides; val_loss is the other one")
    tune.add_argument("--model", choices=["pooled", "cnn"], nargs="+", default=["pooled", "cnn"], help="kinds to try; see train")
    tune.add_argument("--width", type=_count, nargs=2, default=(16, 256), metavar=("LOW", "HIGH"), help="size of the embedding")
    tune.add_argument("--filters", type=_count, nargs=2, default=(16, 256), metavar=("LOW", "HIGH"), help="filters of the convolution")
    tune.add_argument("--dropout", type=float, nargs=2, default=(0.0, 0.7), metavar=("LOW", "HIGH"))
    tune.add_argument("--learning-rate", type=float, nargs=2, default=(1e-4, 1e-2), metavar=("LOW", "HIGH"))
    tune.add_argument("--vocabulary", type=_count, default=10000, metavar="N", help="largest vocabulary")
    tune.add_argument("--epochs", type=_count, default=20, help="at most; hopeless trials are ended early")
    tune.add_argument("--patience", type=int, default=3, help="epochs without improvement before a trial ends")
    tune.add_argument("--batch-size", type=_count, default=32)
    tune.add_argument("--validation-split", type=float, default=0.2)
    tune.add_argument("--seed", type=int, default=0)
    tune.add_argument("--device", choices=["numpy", "cupy", "auto"], default="numpy")

    predict = add("predict", "Predict the labels of texts, of a CSV file, or of the lines of standard input.")
    predict.add_argument("file", metavar="FILE", help="a model file")
    predict.add_argument(
        "texts", nargs="*", metavar="TEXT", help="texts; one that ends in .csv and exists is read as a CSV file, - is standard input"
    )
    predict.add_argument("--text", default="text", metavar="COL", help="the column of a CSV file that holds the texts")
    predict.add_argument("--json", action="store_true", help="one JSON object a line, with every probability")

    evaluate = add("evaluate", "Loss, accuracy and a report per label of a model on a CSV file.")
    evaluate.add_argument("file", metavar="FILE", help="a model file")
    evaluate.add_argument("csv", metavar="CSV")
    evaluate.add_argument("--text", default="text", metavar="COL")
    evaluate.add_argument("--label", default="label", metavar="COL")
    evaluate.add_argument("--confusion", metavar="PNG", help="draw the confusion matrix here")

    gradcheck = add("gradcheck", "Check the hand-written gradients of every layer, loss and activation.")
    gradcheck.add_argument("names", nargs="*", metavar="LAYER", help="only these; default: all")
    gradcheck.add_argument("--mutants", action="store_true", help="inject wrong backwards and print which check kills them")

    bench = add("bench", "Time LS: training steps (against PyTorch and JAX where they are installed), kernels, layers and more.")
    bench.add_argument("what", nargs="?", default="steps", choices=["steps", "kernels", "layers", "overhead", "scaling", "ladder"])
    bench.add_argument("--only", metavar="TEXT", help="what has this in its name")
    bench.add_argument("--threads", type=int, metavar="N", help="for BLAS, LS and peers alike; the default is at most two")
    bench.add_argument("--seconds", type=float, help="for each figure; the default depends on what is timed")
    bench.add_argument("--tier", nargs="+", choices=["references", "numpy", "numba"], help="LS's overrides (not for kernels and ladder)")
    bench.add_argument("--json", metavar="FILE", help="write the figures here")
    bench.add_argument("--quick", action="store_true", help="shows that it runs, measures nothing")

    add("info", "Versions, BLAS and its threads, devices, and which extras are there.")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``ls-engine``; returns the exit status."""
    options = _parser().parse_args(arguments)
    command = importlib.import_module(f"ls_cli.{options.command}")
    try:
        status = int(command.run(options) or 0)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # who reads the output wants no more of it (| head)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (ValueError, OSError, ImportError, RuntimeError) as problem:
        print(f"ls-engine {options.command}: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
