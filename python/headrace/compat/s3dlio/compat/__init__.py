"""Other packages by their names, as s3dlio has them."""
