package face

import (
	"strings"
	"testing"
)

// TestEveryKindHasAType: devices of each kind are objects of a type that declares what the face shows of them.
func TestEveryKindHasAType(t *testing.T) {
	types := map[string]objectType{}
	for _, o := range objectTypes() {
		if _, ok := types[o.Name]; ok {
			t.Errorf("type %s twice", o.Name)
		}
		if o.Of != "" && types[o.Of].Name == "" {
			t.Errorf("%s comes before its type %s", o.Name, o.Of)
		}
		types[o.Name] = o
	}
	for kind := range kindCodes {
		declared := map[string]bool{}
		o, ok := types[typeOf(kind)]
		if !ok || o.Abstract {
			t.Errorf("kind %s is of type %q", kind, typeOf(kind))
		}
		for ; o.Name != ""; o = types[o.Of] {
			for _, v := range o.Variables {
				declared[strings.Join(v.Path, "/")] = !v.Optional
			}
		}
		shown := ofKind(kind)
		for _, v := range shown {
			if !declared[v.Path[0]] {
				t.Errorf("%s of kind %s is not declared", v.Path[0], kind)
			}
		}
		if len(declared) != len(shown)+2 { // and the requests
			t.Errorf("kind %s: %d variables are declared, %d shown", kind, len(declared), len(shown))
		}
	}
}
