package scoring

// Code is a stable error code (contract cli.md).
type Code string

// EventError says why an event cannot be scored. Field is a feature, id or time path; Message holds no payload.
type EventError struct {
	Code    Code
	Field   string
	Message string
}

func (e *EventError) Error() string { return string(e.Code) }
