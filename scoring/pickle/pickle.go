// Package pickle reads pickle and joblib files as data.
package pickle

// Decode reads one pickle or joblib file.
func Decode(data []byte, l Limits) (Value, error) {
	l = l.withDefaults()
	if int64(len(data)) > l.File {
		return nil, refuse(ReasonBudget, -1, "the file has %d bytes, more than %d", len(data), l.File)
	}
	if len(data) > 2 && string(data[:2]) == "ZF" {
		return nil, refuse(ReasonUnsupportedFormat, 0, "written by joblib before 0.10: dump it again with a newer joblib")
	}
	if c := containerOf(data); c != nil {
		inflated, err := c.inflate(data, l.inflated(len(data), c.ratio))
		if err != nil {
			return nil, err
		}
		data = inflated
	}
	m := newMachine(data, l)
	root, err := m.run()
	if err != nil {
		return nil, err
	}
	if m.pos != len(data) {
		return nil, refuse(ReasonTrailingData, m.pos, "%d bytes follow the end of the pickle", len(data)-m.pos)
	}
	if err := checkGraph(root, l); err != nil {
		return nil, err
	}
	return root, nil
}
