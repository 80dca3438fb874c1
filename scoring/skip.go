package scoring

// Skip says why an event was left out: neither a decision nor an error comes of it.
type Skip uint8

// The reasons. All but the first are what a change-data-capture connector tells of beside new rows.
const (
	SkipWhere     Skip   = iota // event.where does not list it
	SkipUpdate                  // a row was changed
	SkipDelete                  // a row was deleted
	SkipTombstone               // the record without a value that follows a deletion
	SkipTruncate                // a table was emptied
	SkipMessage                 // something that the application has written into the log of the database
	Skips         = iota        // how many reasons there are
)

var skipNames = [Skips]string{"where", "update", "delete", "tombstone", "truncate", "message"}

// String is the word of the metric's label.
func (s Skip) String() string { return skipNames[s] }

// leaveOut skips the event.
func (r *Result) leaveOut(why Skip) { r.Outcome, r.Skip = Skipped, why }
