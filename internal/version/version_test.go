package version

import (
	"runtime/debug"
	"testing"
)

func TestFromBuild(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		info debug.BuildInfo
		want string
	}{
		{
			name: "installed as a module",
			info: debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}},
			want: "v1.2.3",
		},
		{
			name: "built without version control",
			info: debug.BuildInfo{Main: debug.Module{Version: "(devel)"}},
			want: "devel",
		},
		{
			name: "built from a commit",
			info: debug.BuildInfo{Settings: []debug.BuildSetting{
				{Key: "vcs.revision", Value: "0123456789abcdef0123456789abcdef01234567"},
				{Key: "vcs.modified", Value: "false"},
			}},
			want: "devel-0123456789ab",
		},
		{
			name: "built from a changed tree",
			info: debug.BuildInfo{Settings: []debug.BuildSetting{
				{Key: "vcs.revision", Value: "0123456789abcdef0123456789abcdef01234567"},
				{Key: "vcs.modified", Value: "true"},
			}},
			want: "devel-0123456789ab-dirty",
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := fromBuild(&c.info); got != c.want {
				t.Errorf("fromBuild says %q, want %q", got, c.want)
			}
		})
	}
}

func TestStringPrefersTheMakefile(t *testing.T) {
	t.Cleanup(func(before string) func() { return func() { version = before } }(version))
	version = "v9.8.7"
	if got := String(); got != "v9.8.7" {
		t.Errorf("String says %q, want v9.8.7", got)
	}
}

func TestDateIsTheDayOfTheCommit(t *testing.T) {
	t.Parallel()
	info := debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs.time", Value: "2026-03-04T05:06:07Z"}}}
	if got := dateOf(&info); got != "2026-03-04" {
		t.Errorf("%q", got)
	}
	if got := dateOf(&debug.BuildInfo{}); got != "" {
		t.Errorf("%q without version control", got)
	}
}
