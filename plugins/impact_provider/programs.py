"""choose_programs: which programs a run of a Dag for several of them is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseOperator

from impact_provider.parts import program_names

if TYPE_CHECKING:
    from airflow.sdk import Context


class ChooseOperator(BaseOperator):
    """Gives the programs of the Param `programs`, or all; what is behind it is mapped over them."""

    def execute(self, context: Context) -> list[str]:
        chosen = list(dict.fromkeys(context["params"].get("programs") or program_names()))
        self.log.info("%s", ", ".join(chosen))
        return chosen
