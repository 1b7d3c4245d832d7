"""One folder per vendor, one file per role it plays. Only `assembly` opens this catalogue."""
