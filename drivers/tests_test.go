package drivers_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	folderInText = regexp.MustCompile("`((?:drivers|cmd)/[a-z/]+)`")
	testInText   = regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w*`)
)

// TestListOfTests: every test that TESTS.md names is there, in the folder of its heading or its line.
func TestListOfTests(t *testing.T) {
	text, err := os.ReadFile("TESTS.md")
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]string{} // sources of the tests of a folder
	folder, named := "", 0
	for i, line := range strings.Split(string(text), "\n") {
		of := folder
		if m := folderInText.FindStringSubmatch(line); m != nil {
			of = m[1]
		}
		if strings.HasPrefix(line, "#") {
			folder = of
			continue
		}
		for _, name := range testInText.FindAllString(line, -1) {
			if there[of] == "" {
				files, err := filepath.Glob(filepath.Join("..", of, "*_test.go"))
				if err != nil {
					t.Fatal(err)
				}
				for _, file := range files {
					source, err := os.ReadFile(file)
					if err != nil {
						t.Fatal(err)
					}
					there[of] += string(source)
				}
			}
			named++
			if !strings.Contains(there[of], "\nfunc "+name+"(") {
				t.Errorf("TESTS.md:%d: %s is not in %s", i+1, name, of)
			}
		}
	}
	if named < 100 {
		t.Errorf("%d tests are named: the list is not read", named)
	}
}
