"""`python -m tools.publish`: add a run, draw, or write the pages."""

from __future__ import annotations

import argparse
from pathlib import Path

import tools.publish
from tools.publish import figures, pages, records


def main() -> None:
    """Run a command; all of them write the pages."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.publish",
        description=tools.publish.__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    adding = commands.add_parser("add", help="copy a run's record and figures, then write the pages")
    adding.add_argument("name", help="of the record, as in the manifest: for example quick-0, or sorting")
    adding.add_argument("run", type=Path, help="the run's folder")
    commands.add_parser("draw", help="draw again what is drawn from records and packaged weights")
    commands.add_parser("pages", help="write the pages again from the records")
    arguments = parser.parse_args()
    if arguments.command == "add":
        told = records.add_record(arguments.name, arguments.run)
        if told:
            print(told)
        figures.copy_figures(arguments.name, arguments.run)
        figures.draw(arguments.name)
    elif arguments.command == "draw":
        figures.draw_pretrained()
        figures.draw()
    pages.write_pages()


if __name__ == "__main__":
    main()
