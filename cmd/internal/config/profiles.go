package config

import "strings"

// ownProfile reports whether a device names a profile of the user's own, by its file.
func ownProfile(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
}

// findProfiles resolves the files of own profiles against the folder of the configuration.
func (b *builder) findProfiles(list []Device) {
	for i := range list {
		if p := &list[i].Profile; ownProfile(*p) {
			*p = beside(b.opt.dir, *p)
		}
	}
}

// ownProfileFaults notes what is wrong with an own profile, fault by fault.
func (b *builder) ownProfileFaults(name, path string) {
	var err error
	if b.opt.ProfileFault != nil {
		err = b.opt.ProfileFault(name)
	}
	if err == nil {
		b.say(path+".profile", "%s is no profile", name)
		return
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		b.say(path+".profile", "%s", line)
	}
}
