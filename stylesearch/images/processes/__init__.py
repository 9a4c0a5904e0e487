"""Decoding in processes that can be ended: what a picture does to its decoder harms nothing else.

```text
this process -> starter, which has the decoders loaded -> workers, forked from it, one picture each at a time
```
"""
