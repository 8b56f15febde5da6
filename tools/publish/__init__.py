"""Put finished runs into the docs, and write the pages from what was put there.

    python -m tools.publish add NAME RUN    # copy a run's record and the figures that pages show of it
    python -m tools.publish draw            # draw again what is drawn from records and packaged weights
    python -m tools.publish pages           # write the pages again from the records

`manifest` says which record fills which table and figure, `records` knows how a record looks inside,
`tables` write what stands on a page, `figures` draw, and `pages` puts the tables into their places. Pages
hold no number in a table that is not in a record: a test writes them again and compares.
"""
