"""The hooks of the plugin."""

from __future__ import annotations

import os
from itertools import islice
from typing import TYPE_CHECKING

from inboxd import hookimpl
from inboxd_policy.checking import problems_of
from inboxd_policy.rules import Policy, Rules, policy_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inboxd import CandidateTree, PluginConfiguration, Problem

__all__ = ["PolicyPlugin", "plugin"]

#: More are not reported of one file.
_MOST_PROBLEMS = 100


class PolicyPlugin:
    """Holds every file against the rules of its owner."""

    def __init__(self) -> None:
        self._policy = Policy(rules=Rules(), owners={})

    @hookimpl
    def inboxd_configure(self, configuration: PluginConfiguration) -> Iterable[str] | None:
        """Take `[plugins.policy]`; without a rule no file is looked at."""
        self._policy = policy_of(configuration.options)
        return () if self._policy.is_empty else None

    @hookimpl
    def inboxd_validate_tree(self, tree: CandidateTree) -> list[Problem]:
        """Say where a file breaks a rule."""
        # `inboxd validate` knows no owner: the file will be of who asks.
        owner = os.geteuid() if tree.owner is None else tree.owner
        return list(islice(problems_of(tree, self._policy.rules_for(owner)), _MOST_PROBLEMS))


plugin = PolicyPlugin()
