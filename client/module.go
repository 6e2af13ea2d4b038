package client

import (
	"regexp"
	"strings"
)

// module is who we run for.
type module struct {
	id, uuid string
	app      string // the image's name, which is the second level of repositories' paths
	stateDir string
}

// Module IDs get into file names, container names and URLs, so anything else is
// refused before it is used.
var (
	moduleIDPattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`)
	pathSegment     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
)

// module reads who we run for from the agent's environment.
func (e *environment) module() (module, error) {
	var m module
	var image string
	for _, v := range []struct {
		target *string
		get    func() (string, error)
	}{
		{&m.id, e.moduleID}, {&m.uuid, e.moduleUUID}, {&m.stateDir, e.stateDir}, {&image, e.imageURL},
	} {
		var err error
		if *v.target, err = v.get(); err != nil {
			return module{}, err
		}
	}
	if !moduleIDPattern.MatchString(m.id) {
		return module{}, failf(exitUsage, "MODULE_ID %q is not a module ID", m.id)
	}
	if !pathSegment.MatchString(m.uuid) {
		return module{}, failf(exitUsage, "MODULE_UUID %q is not a UUID", m.uuid)
	}
	var err error
	m.app, err = appOfImage(image)
	return m, err
}

// appOfImage returns the name of an image: what stands behind the last slash, up
// to the tag or the digest, one of which there must be.
func appOfImage(imageURL string) (string, error) {
	name := imageURL[strings.LastIndex(imageURL, "/")+1:]
	end := strings.IndexAny(name, ":@")
	if end < 0 || !pathSegment.MatchString(name[:end]) {
		return "", failf(exitUsage, "IMAGE_URL %q does not end in an image name with a tag or a digest", imageURL)
	}
	return name[:end], nil
}

// repositoryPath matches APP/UUID, a module's path below a destination.
var repositoryPath = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*$`)
