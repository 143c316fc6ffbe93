"""One prompt becomes a verified, parallel plan over many language models."""
