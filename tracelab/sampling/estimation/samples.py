"""A sample: what was seen, in groups and traces, and how much each of it stands for."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tracelab.sampling.estimation.draws import Draws

if TYPE_CHECKING:
    import polars as pl

    from tracelab.array_types import Flags, Floats, Ints
    from tracelab.sampling.ids import Numbers


@dataclass(frozen=True)
class Sample:
    """Items (spans, calls, requests) with their weights, put together by group and, inside of it, by trace.

    All of a trace is kept or dropped together, so that the trace is what was drawn, and the sums over the items of a
    trace are what varies. The items of one trace in one group are a *cluster*.

    Attributes
    ----------
    group
        The number of the group of each item, from 0 on.
    trace
        A number for the trace of each item, such as a hash of its id: the upper bits tell traces apart.
    weight
        How many items each stands for: 1 over the probability that it is kept, NaN where that is not known.
    groups
        How many groups there are.
    """

    group: Ints = field(repr=False)
    trace: Numbers = field(repr=False)
    weight: Floats = field(repr=False)
    groups: int

    @cached_property
    def order(self) -> Ints:
        """The items cluster by cluster, and inside a cluster by weight.

        Traces come in the order of their numbers, so that sums of groups do not depend on how these are numbered.
        """
        bits = np.uint64(max(self.groups - 1, 0).bit_length())
        by_cluster = np.argsort((self.trace >> bits << bits) | self.group.astype(np.uint64))
        group, trace, weight = self.group[by_cluster], self.trace[by_cluster], self.weight[by_cluster]
        same = (group[1:] == group[:-1]) & (trace[1:] == trace[:-1])
        if not np.any(same & (weight[1:] != weight[:-1])):
            return by_cluster
        return np.lexsort((self.weight, self.group, self.trace))

    @cached_property
    def begins(self) -> Ints:
        """Where each cluster begins in `order`."""
        group, trace = self.ordered_group, self.trace[self.order]
        new = np.ones(group.size, dtype=np.bool_)
        new[1:] = (group[1:] != group[:-1]) | (trace[1:] != trace[:-1])
        return np.flatnonzero(new)

    @cached_property
    def ordered_weight(self) -> Floats:
        """The weight of each item, in `order`."""
        return self.weight[self.order]

    @classmethod
    def of(cls, trace_ids: pl.Series, group: Ints, weight: Floats, *, groups: int) -> Sample:
        """Take items with the ids of their traces."""
        return cls(group, trace_ids.hash().to_numpy(), weight, groups)

    @cached_property
    def ordered_group(self) -> Ints:
        """The group of each item, in `order`."""
        return self.group[self.order]

    @cached_property
    def cluster_group(self) -> Ints:
        """The group of each cluster."""
        return self.ordered_group[self.begins]

    @cached_property
    def first_weight(self) -> Floats:
        """The smallest weight of each cluster, which nearly always is that of all its items."""
        return self.ordered_weight[self.begins]

    @cached_property
    def _last_weight(self) -> Floats:
        ends = np.append(self.begins[1:], self.group.size)
        last: Floats = self.ordered_weight[ends[: self.begins.size] - 1]
        return last

    @cached_property
    def mixed(self) -> Ints:
        """The clusters whose items have several weights."""
        several = (self.first_weight != self._last_weight) & ~np.isnan(self.first_weight)
        return np.flatnonzero(several)

    @cached_property
    def chanced(self) -> Flags:
        """Tell for each cluster whether it might have been dropped, in part or whole."""
        chanced: Flags = ~(self._last_weight <= 1)
        return chanced

    @cached_property
    def cluster_size(self) -> Floats:
        """How many items each cluster has."""
        return np.diff(self.begins, append=self.group.size).astype(np.float64)

    @cached_property
    def cluster_weight(self) -> Floats:
        """How many items each cluster stands for."""
        if not self.mixed.size:
            return self.cluster_size * self.first_weight
        return self.of_clusters(self.ordered_weight)

    @cached_property
    def only_sure(self) -> Flags:
        """Tell of which groups nothing was seen but what was sure to be kept, while others were left to chance."""
        only: Flags = (self.of_groups(self.chanced.astype(np.float64)) == 0) & (self.heaviest > 1)
        return only

    @cached_property
    def heaviest(self) -> Floats:
        """The largest weight that what was dropped of each group may have had.

        It is the largest of the group; that of all groups where only what was sure to be kept was seen of it.
        """
        of_clusters = np.fmax.reduceat(self.ordered_weight, self.begins) if self.group.size else np.zeros(0)
        largest = self.most_of_groups(of_clusters)
        return np.where(largest <= 1, float(largest.max(initial=1.0)), largest)

    @cached_property
    def draws(self) -> Draws:
        """What was kept or dropped together."""
        begins, weight = self.begins, self.ordered_weight
        times = np.ones(begins.size)
        if self.mixed.size:
            new = np.zeros(weight.size, dtype=np.bool_)
            new[begins] = True
            several = new.copy()
            several[1:] |= weight[1:] != weight[:-1]
            begins = np.flatnonzero(several)
            cluster = np.cumsum(new)[begins] - 1
            chances = np.bincount(cluster, weights=weight[begins] > 1)
            times = np.maximum(chances, 1)[cluster]
        return Draws(self.order, begins, self.ordered_group[begins], weight[begins], times, self.heaviest)

    @cached_property
    def effective(self) -> Floats:
        """How many traces, each with as many items and one weight, would tell as much (L. Kish)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.of_groups(self.cluster_weight) ** 2 / self.of_groups(self.cluster_weight**2)

    def of_clusters(self, items: Floats | Flags) -> Floats:
        """Add up over the items of each cluster, or count those that have a flag; items come in `order`."""
        return np.add.reduceat(items, self.begins, dtype=np.float64) if items.size else np.zeros(0)

    def of_groups(self, clusters: Floats) -> Floats:
        """Add up over the clusters of each group."""
        return np.bincount(self.cluster_group, weights=clusters, minlength=self.groups).astype(np.float64)

    def most_of_groups(self, clusters: Floats) -> Floats:
        """Give the largest number of each group, 0 where there is no cluster."""
        most = np.zeros(self.groups)
        np.fmax.at(most, self.cluster_group, clusters)
        return most
