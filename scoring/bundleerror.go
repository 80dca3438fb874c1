package scoring

import (
	"errors"
	"fmt"

	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// The reasons of a [BundleError]. They are stable words: a metric and an operator's runbook may rely on them.
const (
	metadataInvalid   = "metadata-invalid"   // metadata.json says what cannot be
	hashMismatch      = "hash-mismatch"      // a file is not the one that metadata.json describes
	schemaMismatch    = "schema-mismatch"    // names, order or classes are not those of the model
	baselineMismatch  = "baseline-mismatch"  // counts, edges, sums or moments contradict each other
	goldenMismatch    = "golden-mismatch"    // the model does not give the golden scores
	unsupportedFormat = "unsupported-format" // a model format that is read by name only
	unsigned          = "unsigned"           // a signature is required, and there is none or it does not reach all files
	badSignature      = "bad-signature"      // a signature that no trusted key made of these bytes
	fileUnreadable    = "file-unreadable"    // no such file, no permission, over the size limit
)

// BundleError refuses a model folder, or the companion of a bare file, for what its own files say. Nothing
// about it changes by trying again: somebody has to write another bundle, or the one that was meant.
type BundleError struct {
	Reason string // a stable word: "metadata-invalid", "hash-mismatch", "schema-mismatch", …
	Field  string // JSON path in metadata.json (features[3].baseline.counts), or a path after "golden.json: "
	Detail string // what is wrong there
}

// Error names the field, what is wrong with it, and the reason.
func (e *BundleError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("%s: %s", e.Reason, e.Detail)
	}
	return fmt.Sprintf("%s: %s: %s", e.Reason, e.Field, e.Detail)
}

// refuse makes a BundleError; the detail is formatted.
func refuse(reason, field, format string, args ...any) *BundleError {
	return &BundleError{Reason: reason, Field: field, Detail: fmt.Sprintf(format, args...)}
}

// Reason is the stable word of an error of [Load]: that of the bundle, of the pickle or of the model's meaning.
// Anything else is "other"; no error is the empty string. It looks through wrapped errors. There are a few
// dozen words at most, so they may be a label of a metric.
func Reason(err error) string {
	var bundle *BundleError
	var syntax *pickle.SyntaxError
	var unsupported *program.UnsupportedError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &bundle):
		return bundle.Reason
	case errors.As(err, &syntax):
		return syntax.Reason
	case errors.As(err, &unsupported):
		return unsupported.Reason
	default:
		return "other"
	}
}
