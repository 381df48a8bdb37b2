"""What came of a person's word, for eyes and for programs."""

from typing import TYPE_CHECKING

from koboshi.cli.context import Context
from koboshi.cli.output import Output, write_item

if TYPE_CHECKING:
    from koboshi.api.views import AnswerView


def write_answer(context: Context, output: Output, answer: "AnswerView") -> None:
    """Write what came of a word, and where to look on."""

    def table() -> None:
        for sentence in answer.said:
            context.stdout.write(f"{sentence}\n")
        if not answer.said:
            context.stdout.write("It was so already: nothing changed.\n")
        if answer.incident is not None:
            context.stdout.write(f"Watch it with: koboshi incident show {answer.incident}\n")

    write_item(context, output, answer.model_dump(mode="json"), table=table)
