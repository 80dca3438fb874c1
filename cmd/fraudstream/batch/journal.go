package batch

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"fraudstream/scoring"
)

// A ResumeError says why a run cannot go on where another has ended.
type ResumeError struct{ why string }

// Error says why, and what to do: it is about the flag by which the run was asked to go on.
func (e *ResumeError) Error() string {
	return "--resume: " + e.why + "; leave out --resume to begin anew"
}

// A checkpoint says how far an output is: so many rows of the input stand in its first Bytes, or in its first Parts. It
// is the JSON of the journal, and the state of an [Output] while that is written.
type checkpoint struct {
	By    string `json:"by"` // what decided
	Tally Tally  `json:"rows"`
	Sum   uint32 `json:"sum"` // CRC-32C of the rows as JSON
	Bytes int64  `json:"bytes,omitempty"`
	Parts int    `json:"parts,omitempty"`
}

// journal is the name of the file beside an output that is not finished.
func journal(path string) string { return path + ".resume" }

// readCheckpoint reads the journal of an output. Where neither is there, a run begins; an output without a journal is
// finished, or somebody else's, and is not touched.
func readCheckpoint(path string) (c checkpoint, err error) {
	data, err := os.ReadFile(journal(path))
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(path); err == nil {
			return c, &ResumeError{fmt.Sprintf("%s is finished, or is no output of an earlier run: there is no %s", path, journal(path))}
		}
		return c, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &c)
	}
	if err == nil && (c.By == "" || c.Bytes < 0 || c.Parts < 0 || min(c.Tally.Decided, c.Tally.Refused, c.Tally.Skipped) < 0) {
		err = errors.New("its figures make no sense")
	}
	if err != nil {
		return checkpoint{}, &ResumeError{fmt.Sprintf("%s: %v", journal(path), err)}
	}
	return c, nil
}

// write replaces the journal in one step: the new one goes beside it and, when the disk has it, over it. Whoever is
// killed in between leaves the old one, which is still true: an output only grows, and what was added after the
// checkpoint is cut off. The folder is synced before that step, so that the journal speaks of no file whose name a
// power cut may still take, and after it, so that the work of hours does not hang on a name that was never written.
func (c *checkpoint) write(path string, disk disk) error {
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	fresh := journal(path) + ".new"
	f, err := os.Create(fresh)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, disk(f), f.Close()); err != nil {
		return err
	}
	if err := disk.folder(path); err != nil {
		return err
	}
	if err := os.Rename(fresh, journal(path)); err != nil {
		return err
	}
	return disk.folder(path)
}

// removeCheckpoint takes the journal away, if there is one: the output is whole.
func removeCheckpoint(path string) error {
	err := os.Remove(journal(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// A disk waits until what was written to a file is on it. Of a folder that is the names in it: what was created,
// renamed or removed there may come back, or not have been, after a power cut, in any order, as long as the folder
// was not synced. Tests have one that looks on.
type disk func(*os.File) error

// fsync is the disk of the operating system.
func fsync(f *os.File) error { return ignoreUnsupported(f.Sync()) }

// folder waits for the names in the folder of a file. One that may be written and not read cannot be waited for.
func (d disk) folder(path string) error {
	f, err := os.Open(filepath.Dir(path))
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(d(f), f.Close())
}

// ignoreUnsupported passes over what a pipe or a device says when it is asked to keep what it was given.
func ignoreUnsupported(err error) error {
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	return err
}

// identity names what decides: the model and everything around it that a decision depends on, with the format of the
// output. A run is resumed only under the same identity: a file of which one model made the first half and another the
// second looks whole, and is nobody's answer. It is the first half of a SHA-256, in 32 hexadecimal digits.
func identity(model *scoring.Scorer, t Target) string {
	hash := sha256.New()
	fmt.Fprintf(hash, "%s\n%v\n%v\n%s\n%s", model.Bundle.SHA256, model.Thresholds(), model.Reasons(), t.Format, t.By)
	return hex.EncodeToString(hash.Sum(nil)[:16])
}
