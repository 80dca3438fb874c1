package main

import (
	"fmt"
	"runtime/debug"
)

// versionCommand tells what this binary is, as the linker has noted it: nothing is written by hand, and so nothing is
// stale. The revision is that of the sources if the toolchain could see them, and the version (devel) where they had
// no tag.
type versionCommand struct{}

// Run prints the module version, the revision it was built from and the Go release.
func (versionCommand) Run(s streams) error {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return fmt.Errorf("this binary holds no build information; build it with go build")
	}
	revision := "unknown revision"
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			revision = setting.Value
		}
	}
	_, err := fmt.Fprintf(s.out, "fraudstream %s (%s, %s)\n", info.Main.Version, revision, info.GoVersion)
	return err
}
