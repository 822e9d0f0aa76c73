"""Make a set of text crops in the manner of OmniDoc-TokenBench (report, Evaluation, text).

Two origins, one set: pages of OmniDocBench, cut and read as the report tells, or any PDFs, whose
text layer says what a crop holds.
Run: `python -m vae_training.tokenbench --documents DIR --out DIR`
"""
