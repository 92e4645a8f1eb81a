#: The version of s3torchconnector whose names and behaviour these modules have.
__version__ = "1.5.0"
