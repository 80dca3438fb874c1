package scoring

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A source is a model as it lies on disk. Files are read through folder, which no name and no symbolic link
// leaves. The files may be changed by somebody meanwhile, so Load reads each of them once: what is hashed is
// what is decoded.
type source struct {
	folder    *os.Root
	bundle    []byte // metadata.json of a bundle; nil for a bare file
	file      string // of a bare model, in folder
	companion []byte // free-form metadata beside a bare model; nil without
	note      string // the companion's file name
	signedBy  string // id of the trusted key that signed the bundle
	warnings  []string
}

// metadataFile is the root of a bundle: it has the hashes of the other files, and the signature is over it.
const metadataFile = "metadata.json"

// open finds out what a path is: a bundle folder, a folder with one model file, or a bare model file. The
// folder stays open until close, as a descriptor and not as a path: a folder that is renamed or replaced
// meanwhile does not mix two bundles.
func open(path string) (*source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	dir, base := path, ""
	if !info.IsDir() {
		dir, base = filepath.Split(path)
		if dir == "" {
			dir = "."
		}
	}
	folder, err := os.OpenRoot(dir)
	if err != nil {
		return nil, unreadable(path, err)
	}
	s := &source{folder: folder, file: base}
	find := s.besideFile
	if info.IsDir() {
		find = s.inFolder
	}
	if err := find(); err != nil {
		folder.Close()
		return nil, err
	}
	return s, nil
}

// close gives the descriptor back. What was read stays valid.
func (s *source) close() { s.folder.Close() }

// inFolder tells a bundle from a folder that holds one bare model. A metadata.json that is no JSON is taken for
// a broken bundle and refused as such, and not for notes that happen to have the name.
func (s *source) inFolder() error {
	data, err := s.read(metadataFile, maxMetadata)
	switch {
	case err == nil && (isBundle(data) || !jsontext.Value(data).IsValid()):
		s.bundle = data
		return nil
	case err == nil:
		s.companion, s.note = data, metadataFile
	case !errors.Is(err, fs.ErrNotExist):
		return unreadable(metadataFile, err)
	}
	if _, err := s.folder.Stat("MLmodel"); err == nil {
		return refuse(unsupportedFormat, "", "an MLflow model folder is not read yet; give the path of the model.pkl in it")
	}
	return s.onlyModel()
}

// onlyModel takes the one model file of a folder. With two of them a choice would be a guess; the error lists
// them.
func (s *source) onlyModel() error {
	entries, err := fs.ReadDir(s.folder.FS(), ".")
	if err != nil {
		return unreadable(".", err)
	}
	var models []string
	for _, e := range entries {
		if _, known := extensions[filepath.Ext(e.Name())]; known && !e.IsDir() && !strings.HasSuffix(e.Name(), ".json") {
			models = append(models, e.Name())
		}
	}
	switch len(models) {
	case 0:
		return refuse(fileUnreadable, "", "the folder holds no %s and no model file", metadataFile)
	case 1:
		s.file = models[0]
		return nil
	default:
		return refuse("ambiguous-model", "", "the folder holds no %s but the model files %s; give the path of one of them",
			metadataFile, strings.Join(models, ", "))
	}
}

// besideFile looks for the companion of a bare model: NAME.metadata.json, NAME_metadata.json or metadata.json.
// The first one that is there counts, unless it is a bundle's.
func (s *source) besideFile() error {
	stem := strings.TrimSuffix(s.file, filepath.Ext(s.file))
	for _, name := range []string{stem + ".metadata.json", stem + "_metadata.json", metadataFile} {
		data, err := s.read(name, maxMetadata)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return unreadable(name, err)
		}
		if isBundle(data) {
			s.warnings = append(s.warnings, fmt.Sprintf(
				"%s beside the model describes a bundle; it is not used for a bare file: give the folder to have it checked", name))
			continue
		}
		s.companion, s.note = data, name
		return nil
	}
	return nil
}

// isBundle tells metadata.json of this format from a free-form companion: it names a schema, or says in the way of
// a bundle which file the model is.
func isBundle(data []byte) bool {
	var head, model map[string]jsontext.Value
	if json.Unmarshal(data, &head) != nil {
		return false
	}
	named := json.Unmarshal(head["model"], &model) == nil && model["file"] != nil
	return head["schema"] != nil || named
}

// read returns a regular file of at most limit bytes. A name that leads out of the folder, by .. or by a
// symbolic link, is an error of os.Root, as is a file that is no regular one.
func (s *source) read(name string, limit int64) ([]byte, error) {
	name = filepath.FromSlash(name)
	info, err := s.folder.Stat(name) // before it is opened: to open a pipe would wait for its writer
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", name)
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%s has %d bytes, more than %d", name, info.Size(), limit)
	}
	f, err := s.folder.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// The size is that of this moment, so the reader is held to the limit as well.
	buffer := bytes.NewBuffer(make([]byte, 0, info.Size()+bytes.MinRead))
	if n, err := buffer.ReadFrom(io.LimitReader(f, limit+1)); err != nil || n > limit {
		return nil, errors.Join(err, fmt.Errorf("%s has changed while it was read", name))
	}
	return buffer.Bytes(), nil
}

// unreadable is the refusal of a file that the operating system did not give; the cause is its message, which
// names no content.
func unreadable(name string, err error) *BundleError {
	return refuse(fileUnreadable, "", "%s: %v", name, err)
}

// hashOf is the SHA-256 in lower-case hexadecimal digits, as metadata.json and decisions have it.
func hashOf(data []byte) string {
	digest := sha256.Sum256(data)
	return hex.EncodeToString(digest[:])
}
