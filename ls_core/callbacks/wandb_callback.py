"""WandbCallback: send the numbers of a run to Weights & Biases (the extra 'wandb')."""

from __future__ import annotations

from typing import Any

from .trigger import Triggered


class WandbCallback(Triggered):
    """Log each epoch, and if asked every n batches, to a Weights & Biases run.

    Parameters
    ----------
    project, name : str, optional
    config : dict, optional
        Settings to show with the run; the optimiser's configuration is added.
    mode : {'online', 'offline', 'disabled'}, optional
        'offline' needs no network: ``wandb sync`` sends the folder later. Default: what wandb decides.
    dir : str or path, optional
        Where the run's folder is written.
    freq : 'epoch', int or Trigger
        An int also logs every so many batches, as 'batch/loss' ...
    **options
        Further arguments of ``wandb.init``.

    Raises
    ------
    ImportError
        When the run begins: wandb is not installed.

    Notes
    -----
    Inside a run that you began yourself (``wandb.init``) it logs to that one and leaves it open.
    """

    def __init__(
        self,
        project: str | None = None,
        name: str | None = None,
        config: dict[str, Any] | None = None,
        mode: str | None = None,
        dir: Any = None,
        freq: Any = "epoch",
        **options: Any,
    ) -> None:
        super().__init__(freq)
        given = {"project": project, "name": name, "mode": mode, "dir": dir}
        self.settings = {**{key: value for key, value in given.items() if value is not None}, **options}
        self.config = dict(config or {})
        self._run: Any = None

    def on_train_begin(self, logs: Any = None) -> None:
        super().on_train_begin(logs)
        try:
            import wandb
        except ImportError as problem:
            raise ImportError("WandbCallback needs wandb: pip install 'ls-engine[wandb]'") from problem
        self._own = wandb.run is None
        optimizer = self.model.optimizer
        config = {"optimizer": type(optimizer).__name__, **optimizer.get_config(), **self.params, **self.config}
        self._run = wandb.init(config=config, **self.settings) if self._own else wandb.run

    def act(self, epoch: int, batch: int | None, logs: Any) -> None:
        if batch is not None:
            self._run.log({f"batch/{name}": value for name, value in logs.items()})

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        super().on_epoch_end(epoch, logs)
        self._run.log({"epoch": epoch, **(logs or {})})

    def on_train_end(self, logs: Any = None) -> None:
        if self._own:
            self._run.finish()
        self._run = None
