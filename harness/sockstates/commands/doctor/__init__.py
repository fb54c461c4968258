"""What this machine can and cannot do for a lab, and how to fix it; ``sockstates doctor``.

`survey` looks and `trial` tries; `findings` judges what they saw, and `page` draws it.
"""
