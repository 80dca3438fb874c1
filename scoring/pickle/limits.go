package pickle

// Limits bounds what decoding may use; the zero value of a field means its default. scoring.Load decodes with
// the zero value. The counts are those of one call of [Decode], the pickles inside of object arrays included.
type Limits struct {
	File     int64 // bytes of the file as it is stored; default 1 GiB
	Inflated int64 // bytes after decompression; default 2 GiB, and never more than 200 times the file
	Objects  int   // opcodes carried out, each of which makes at most one value; default 4 Mi
	Memo     int   // memo entries; default 2 Mi
	Depth    int   // containers nested one in another; default 256
	Expanded int   // values met when shared references are walked as if each were a copy; default 16 Mi
}

const (
	// maxRatio is the largest ratio of inflated to stored bytes. Fitted models stay under 30; a bomb exceeds 200.
	maxRatio = 200
	// maxRatioLzma is stricter: the format states no lengths, and its decoder is the slowest on repetitive data.
	maxRatioLzma = 100
	// maxNesting is how deep a pickle may sit in the object array of another.
	maxNesting = 2
	// maxDims is the largest number of dimensions of an array (numpy 1 had the same limit).
	maxDims = 32
	// maxIntBytes bounds arbitrary-precision integers; random generators need 16 bytes.
	maxIntBytes = 1024
	// maxName bounds module and class names, which are looked at letter by letter each time they are used.
	maxName = 256
	// maxFields bounds the fields of a record; the nodes of a tree have 8, those of a histogram tree 15.
	maxFields = 128
	// freeKey is the length up to which hashing a key of a dict costs nothing worth counting.
	freeKey = 256
	// maxMemoGap bounds how far a memo index may lie beyond the entries made so far; picklers count them up by one.
	maxMemoGap = 1024
)

// withDefaults fills the fields that are zero.
func (l Limits) withDefaults() Limits {
	setDefault(&l.File, 1<<30)
	setDefault(&l.Inflated, 2<<30)
	setDefault(&l.Objects, 4<<20)
	setDefault(&l.Memo, 2<<20)
	setDefault(&l.Depth, 256)
	setDefault(&l.Expanded, 16<<20)
	return l
}

// setDefault gives a field its default unless the caller set it; a negative limit would have no meaning.
func setDefault[T int | int64](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

// inflated returns how many bytes a compressed file of n bytes may become. Both bounds hold: no ratio makes a
// large file larger than Inflated, and no small file may use all of it.
func (l Limits) inflated(n int, ratio int64) int64 {
	return min(l.Inflated, ratio*int64(n))
}
