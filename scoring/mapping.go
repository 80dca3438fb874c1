package scoring

// Mapping tells where in an event the id, the time and the features are (contract cli.md, "event").
type Mapping struct {
	ID     Field            `yaml:"id"`
	Time   TimeField        `yaml:"time"`
	Where  *Where           `yaml:"where"`
	Fields map[string]Field `yaml:"fields"`
}

// Field is where and how one value is read.
type Field struct {
	Path    string          `yaml:"path"`
	Type    string          `yaml:"type"`    // json, decimal, integer_text, bool_text, debezium_decimal
	Scale   int             `yaml:"scale"`   // divides by 10^scale
	Default any             `yaml:"default"` // string, number or bool for an absent or null field
	Absent  string          `yaml:"absent"`  // null (default) or reject
	Map     map[string]bool `yaml:"map"`     // of bool_text
}

// TimeField is where the event time is.
type TimeField struct {
	Path   string `yaml:"path"`
	Type   string `yaml:"type"` // rfc3339, epoch_s, epoch_ms, epoch_us, layout
	Layout string `yaml:"layout"`
}

// Where selects the events that are scored.
type Where struct {
	Path string `yaml:"path"`
	In   []any  `yaml:"in"`
}
