// Package scoring turns transaction events into decisions: it holds the nouns of the service and its arithmetic.
//
// [Load] reads a model, with all that training said about it, into a [Scorer]. A loop that has events asks the
// scorer for a [Batch], puts the events in and calls [Scorer.Score]; every [Result] is then a [Decision], an
// [EventError] or a skipped event. Kafka, HTTP and files all come through here.
//
// # One event, start to end
//
//	1  the bytes of a fetched batch             consumer
//	2  a record: key, value, headers as views   consumer/recordbatch
//	3  x []float64, in training order           Schema.read, over one strict scan of the value
//	4  a score                                  program.Program.Run, once for a batch
//	5  a Decision                               Thresholds.Decide, its reasons
//	6  a look aside                             drift, once for a batch
//	7  JSON in the outgoing batch               Decision.AppendJSON
//	8  published, then the offset is committed  consumer
//
// This package is steps 3, 4, 5 and 7; [Scorer.Score] is the first three of them on one screen.
//
// # Grammar and meaning
//
// A scanner checks the whole value in one pass, mapped or not: RFC 8259 to the letter, no key twice in an object, no
// text that is no Unicode, and the limits of size, depth and keys. It compiles the paths of the mapping to a tree, walks
// the tree as it walks the value, and leaves a token (type, place, number) for each path. Only when the value is sound
// does the [Schema] look at tokens: the filter, id and time, then the features in training order, so the error that is
// reported does not depend on the order of the fields in the event.
//
// # What is computed and not read
//
// A pipeline is fitted on a frame that somebody prepared: the hour of a time, the ratio of two amounts. Where the
// metadata says how (`from`), the [Schema] computes such a feature from fields of the event, in its turn among the
// others, as pandas did. The rule is then part of what is hashed and signed, and golden events prove it. Counts over
// many events (payments of a card in a day) need a memory and are computed upstream.
//
// # What a model must pass
//
// A bundle is a folder of three files: the fitted pipeline, metadata.json with hashes, features and baselines, and
// golden.json with held-out rows and what scikit-learn said of them. [Load] believes none of it. The metadata is read
// strictly and its numbers are held against each other; the files must lie in the folder and have the hashes it gives;
// decoding runs nothing; names, order, classes and the version of scikit-learn must be those inside the model; and the
// model must give the golden scores before it scores anything else. A model that fails is refused whole, by a
// [BundleError] that names the field, a pickle.SyntaxError with the byte, or a program.UnsupportedError with class and
// attribute; [Reason] has one word for each.
//
// A bare joblib.dump file loads too. Its features are those that the pipeline remembers, or that the caller names, or
// that a free-form companion lists: NAME.metadata.json, NAME_metadata.json or metadata.json beside it. What cannot be
// checked then is said in Bundle.Warnings.
//
// # Why a baseline is kept as numbers
//
// The corridor and the monitor see only x. So the categories of a baseline, which the metadata writes as text, become
// the numbers by which x will hold them, once, at load: a number or boolean is itself, and a text is its code in the
// column's domain, which is extended by categories that the model never compares.
//
// # Why there is no silent zero
//
// A field of another type than the pipeline was trained on, a string where the path expects an object, text that does
// not convert: each refuses the event and names the feature. The rest of x is read all the same, NaN where missing and
// +Inf where unreadable, because the monitor must see what callers began to send.
//
// # Reasons
//
// A decision to review or to block says which features moved the score most towards fraud: up to three, the largest
// first, with the codes and texts of the metadata. What a contribution is depends on the model, and reason_method names it:
//
//	linear            weight·(value - mean over training), of a linear model: log-odds or decision value
//	path_log_odds     steps on the way through boosted trees: log-odds
//	path_probability  steps on the way through averaged trees: probability
//	none              the model is no sum over its features; there are no reasons
//
// With the bias, all contributions (those that are not shown too) add up to the model's additive output before any
// calibrator; program.Explanation tells how. The mean is that of the baseline (of a category: its share), else the mean
// that a StandardScaler has subtracted; where neither is known the model gives no reasons. Encoded columns count for the
// feature that they were made of. For several classes, it is the margin of the positive one that is told about; where
// folds are calibrated each for itself, the mean over the folds.
//
// Contributions are turned towards fraud, so that a reason is always above zero. Nothing is worked out for an approved
// event unless somebody asks, see [Reasons]: reasons cost as much as a prediction once more.
//
// # Why it does not allocate
//
// All scratch belongs to the [Batch] of one loop and all that is shared is immutable, so loops need no locks and the
// garbage collector has nothing to do. Scratch grows to the largest value and batch met, and stays. A Result, and the
// views that it holds of the event's bytes, is valid until the next call of Score.
//
// # Why keys are compared with those of the event before
//
// Events of one stream nearly always have the same keys in the same order. The scanner remembers the last sequence;
// while a value follows it, each key is one comparison of eight bytes, its path is known, and no key can be there twice
// because there was none twice before. The first key that differs ends that: the keys of the open objects go into a hash
// table with a random seed, and the rest of the value is learnt as the new sequence.
//
// # Why numbers are parsed here
//
// A card payment of 30 numbers is mostly digits. They are read once, eight at a time, into an integer and a power of
// ten, and converted exactly: by one float64 operation where both are exact (Clinger), else with 128 bits of the power
// of five (Eisel and Lemire), and by strconv where even those do not decide. A scale moves the exponent before the
// conversion, so "1999" with scale 2 is the float64 nearest to 19.99.
package scoring
