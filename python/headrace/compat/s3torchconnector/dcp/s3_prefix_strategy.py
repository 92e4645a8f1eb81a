"""How the names of a checkpoint's files begin, so that S3 can spread the load of many ranks over its partitions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import List, Optional

import torch.distributed as dist


class S3PrefixStrategyBase(ABC):
    def __call__(self, rank: int) -> str:
        return self.generate_prefix(rank)

    @abstractmethod
    def generate_prefix(self, rank: int) -> str:
        """What the names of a rank's files begin with."""


class DefaultPrefixStrategy(S3PrefixStrategyBase):
    """The rank alone."""

    def generate_prefix(self, rank: int) -> str:
        return f"__{rank}_"


def _rank_part(rank: int, epoch: Optional[int]) -> str:
    return f"__{rank}_" if epoch is None else f"epoch_{epoch}/__{rank}_"


class NumericPrefixStrategy(S3PrefixStrategyBase):
    """A number in front, written backwards: names of neighbours differ in their first letter.

    There are `prefix_count` of them, the world's size where that is not said.
    """

    def __init__(
        self,
        base: int,
        epoch_num: Optional[int] = None,
        min_prefix_length: int = 10,
        prefix_count: Optional[int] = None,
    ) -> None:
        if min_prefix_length < 1:
            raise ValueError(f"Minimum prefix length must be positive, got {min_prefix_length}")
        if epoch_num is not None and not isinstance(epoch_num, int):
            raise ValueError(f"Epoch number must be None or an integer, got {epoch_num}")
        if prefix_count is not None and (not isinstance(prefix_count, int) or prefix_count < 1):
            raise ValueError(f"Prefix count must be a positive integer, got {prefix_count}")
        self.base = base
        self.epoch_num = epoch_num
        self.min_prefix_len = min_prefix_length
        world = dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1
        self.prefix_count = world if prefix_count is None else prefix_count
        length = max(min_prefix_length, self._digits())
        self.prefix_map: List[str] = [self._format_number(i, length)[::-1] for i in range(self.prefix_count)]

    def generate_prefix(self, rank: int) -> str:
        return f"{self.prefix_map[rank % len(self.prefix_map)]}/{_rank_part(rank, self.epoch_num)}"

    def _digits(self) -> int:
        digits, reach = 1, self.base
        while reach < self.prefix_count:
            digits += 1
            reach *= self.base
        return digits

    @abstractmethod
    def _format_number(self, number: int, length: int) -> str: ...


class BinaryPrefixStrategy(NumericPrefixStrategy):
    """Of the digits 0 and 1."""

    def __init__(
        self, epoch_num: Optional[int] = None, min_prefix_length: int = 10, prefix_count: Optional[int] = None
    ) -> None:
        super().__init__(2, epoch_num, min_prefix_length, prefix_count)

    def _format_number(self, number: int, length: int) -> str:
        return format(number, f"0{length}b")


class HexPrefixStrategy(NumericPrefixStrategy):
    """Of hexadecimal digits."""

    def __init__(
        self, epoch_num: Optional[int] = None, min_prefix_length: int = 10, prefix_count: Optional[int] = None
    ) -> None:
        super().__init__(16, epoch_num, min_prefix_length, prefix_count)

    def _format_number(self, number: int, length: int) -> str:
        return format(number, f"0{length}x")


class RoundRobinPrefixStrategy(S3PrefixStrategyBase):
    """The user's own prefixes, in turn."""

    def __init__(self, user_prefixes: List[str], epoch_num: Optional[int] = None) -> None:
        if not user_prefixes:
            raise ValueError("user_prefixes must not be empty")
        self.user_prefixes = user_prefixes
        self.epoch_num = epoch_num

    def generate_prefix(self, rank: int) -> str:
        return f"{self.user_prefixes[rank % len(self.user_prefixes)]}/{_rank_part(rank, self.epoch_num)}"
