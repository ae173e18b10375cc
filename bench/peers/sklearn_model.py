"""Fits logistic regression or histogram gradient-boosted trees and answers for the validation and the test rows.

A JSON object on stdin: folder (of the arrays), features, classes, model, params, rounds, seed, out. Arrays are raw little-endian:
training_x.f32 (NaN: missing), training_y.i32, the same of validation, test_x.f32. Writes validation_p.f32 and test_p.f32,
probabilities [rows, classes], to `out`; prints a JSON object: seconds (of the processor, training), iterations. Every sample weighs
(n / (classes * n_class)) ** 0.5, as in the package's loss.
"""
import json
import os
import sys
import time


def main():
    request = json.load(sys.stdin)
    try:
        import numpy as np
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.linear_model import LogisticRegression
        from sklearn.metrics import f1_score
    except ImportError as error:
        print(json.dumps({"unavailable": str(error)}))
        return
    if request.get("probe"):
        import sklearn

        print(json.dumps({"version": sklearn.__version__}))
        return

    folder, classes = request["folder"], request["classes"]

    def read(name, kind):
        return np.fromfile(os.path.join(folder, name), dtype=kind)

    def rows(part):
        return read(part + "_x.f32", "<f4").reshape(-1, request["features"])

    x, y = rows("training"), read("training_y.i32", "<i4")
    held, held_y, test = rows("validation"), read("validation_y.i32", "<i4"), rows("test")
    counts = np.bincount(y, minlength=classes)
    weights = np.sqrt(len(y) / (classes * np.maximum(counts, 1)))[y]
    started = time.process_time()

    def spread(model, p):
        """Columns of the classes that the training rows have, among all classes."""
        full = np.zeros((len(p), classes), dtype=np.float64)
        full[:, model.classes_] = p
        return full

    if request["model"] == "logistic":
        x, held, test = (np.nan_to_num(part, nan=0.0) for part in (x, held, test))
        model = LogisticRegression(max_iter=400, random_state=request["seed"], **request["params"])
        model.fit(x, y, sample_weight=weights)
        iterations = int(np.max(model.n_iter_))
        held_p, test_p = (spread(model, model.predict_proba(part)) for part in (held, test))
    else:
        # As many rounds as do best on the validation rows: the networks stop in the same way.
        model = HistGradientBoostingClassifier(
            max_iter=request["rounds"], early_stopping=False, random_state=request["seed"], **request["params"]
        )
        model.fit(x, y, sample_weight=weights)
        scores = [
            f1_score(held_y, spread(model, p).argmax(1), average="macro", zero_division=0) for p in model.staged_predict_proba(held)
        ]
        iterations = int(np.argmax(scores)) + 1
        at = lambda part: next(p for i, p in enumerate(model.staged_predict_proba(part)) if i + 1 == iterations)  # noqa: E731
        held_p, test_p = spread(model, at(held)), spread(model, at(test))
    seconds = time.process_time() - started
    for part, p in (("validation", held_p), ("test", test_p)):
        p.astype("<f4").tofile(os.path.join(request["out"], part + "_p.f32"))
    print(json.dumps({"seconds": seconds, "iterations": iterations}))


main()
