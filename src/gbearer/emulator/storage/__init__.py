"""Cloud Storage in small: two buckets to call with a token, and with tokens that an access boundary limits."""
