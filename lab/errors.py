"""The one error of the lab, which the command line prints and a test may expect."""


class LabError(Exception):
    """Something that the user of the lab can act upon: it says what, where, and the cure."""
