package main

import "encoding/binary"

// appendTick encodes a tick for the pool: whose it is and which, so that the pool can tell a repeated one.
func appendTick(dst []byte, life uint64, number int64, counts []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, life)
	dst = binary.BigEndian.AppendUint64(dst, uint64(number))
	return append(dst, counts...)
}
