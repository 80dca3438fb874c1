package kafkatest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of the times in /proc: USER_HZ is 100 on every architecture that Linux runs Java on.
const tick = 10 * time.Millisecond

// CPU returns the user and system time that all nodes have used since they were started, the virtual machine's own
// compiling and collecting included. Without a /proc it is zero.
func (c *Cluster) CPU() (sum time.Duration) {
	for i := 1; i <= c.nodes; i++ {
		pid, err := os.ReadFile(filepath.Join(c.dir, fmt.Sprintf("node%d.pid", i)))
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(filepath.Join("/proc", strings.TrimSpace(string(pid)), "stat"))
		if err != nil {
			continue
		}
		sum += usedOf(string(stat))
	}
	return sum
}

// usedOf reads the 14th and the 15th field of a process's stat: user and system time. The second is the command's name
// in parentheses, which may hold anything, so the fields are counted from behind it.
func usedOf(stat string) (sum time.Duration) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0
	}
	for _, field := range fields[11:13] {
		n, _ := strconv.ParseInt(field, 10, 64)
		sum += time.Duration(n) * tick
	}
	return sum
}
