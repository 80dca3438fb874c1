package security

// Secret is text that prints as [secret], whoever prints it: a log line, an error, a configuration that is shown.
type Secret string

// shown is what is seen of a secret; of an empty one that it is empty.
func (s Secret) shown() string {
	if s == "" {
		return ""
	}
	return "[secret]"
}

// String is for fmt and the logs.
func (s Secret) String() string { return s.shown() }

// GoString is for %#v.
func (s Secret) GoString() string { return s.shown() }

// MarshalText is for JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.shown()), nil }
