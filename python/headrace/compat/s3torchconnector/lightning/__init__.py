"""Checkpoints of Lightning as objects in S3."""

from .s3_lightning_checkpoint import S3LightningCheckpoint

__all__ = ["S3LightningCheckpoint"]
