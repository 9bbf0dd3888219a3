package serve

import (
	"errors"
	"testing"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// TestObjectTypes: an object has its type, is made of what is in it, and lies in the folders to it; a type or an object that cannot be is refused.
func TestObjectTypes(t *testing.T) {
	s := New(Config{NamespaceURI: testURI})
	tank := ObjectType{Name: "TankType", Of: "DeviceType", Variables: []TypeVariable{{Path: []string{"Water", "tank_c"}, Unit: "degC"}, {Path: []string{"alarm"}, Optional: true}}}
	for _, o := range []ObjectType{{Name: "DeviceType", Abstract: true}, tank} {
		if err := s.AddObjectType(o); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.AddObject("TankType", "Plant", "Tank"); err != nil {
		t.Fatal(err)
	}
	if err := s.AddVariable(Variable{Path: []string{"Plant", "Tank", "Water", "tank_c"}, NodeID: "s=T", Unit: "degC"}); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		err  error
		want error
	}{
		"a type twice":              {s.AddObjectType(tank), ErrDuplicate},
		"a type of a missing one":   {s.AddObjectType(ObjectType{Name: "X", Of: "missing"}), ErrUnknownNode},
		"a variable twice":          {s.AddObjectType(ObjectType{Name: "Y", Variables: []TypeVariable{{Path: []string{"a"}}, {Path: []string{"a"}}}}), ErrDuplicate},
		"an object twice":           {s.AddObject("TankType", "Plant", "Tank"), ErrDuplicate},
		"an object of a missing":    {s.AddObject("missing", "Plant", "Other"), ErrUnknownNode},
		"an object of an abstract":  {s.AddObject("DeviceType", "Plant", "Other"), ErrType},
		"an object without a path":  {s.AddObject("TankType"), nil},
		"a type without a name":     {s.AddObjectType(ObjectType{}), nil},
		"a variable without a path": {s.AddObjectType(ObjectType{Name: "Z", Variables: []TypeVariable{{}}}), nil},
	} {
		if tt.err == nil || tt.want != nil && !errors.Is(tt.err, tt.want) {
			t.Errorf("%s: %v, want %v", name, tt.err, tt.want)
		}
	}
	reference := func(from *ua.NodeID, to string) (reference, typeDef string) {
		for _, r := range s.space.references(s.space.get(from)) {
			if r.IsForward && r.BrowseName.Name == to {
				return r.ReferenceTypeID.String(), r.TypeDefinition.NodeID.String()
			}
		}
		return "", ""
	}
	own, component, organizes := s.space.typeID("TankType"), nodeID(id.HasComponent).String(), nodeID(id.Organizes).String()
	object := s.space.objectID([]string{"Plant", "Tank"})
	for _, tt := range []struct {
		from           *ua.NodeID
		to             string
		reference, def string
	}{
		{s.space.objectID([]string{"Plant"}), "Tank", organizes, own.String()},
		{object, "Water", component, nodeID(id.FolderType).String()},
		{s.space.objectID([]string{"Plant", "Tank", "Water"}), "tank_c", component, nodeID(id.AnalogUnitType).String()},
		{own, "Water", component, nodeID(id.FolderType).String()},
		{ua.NewStringNodeID(s.space.ns, "type:TankType/Water"), "tank_c", component, nodeID(id.AnalogUnitType).String()},
		{ua.NewStringNodeID(s.space.ns, "type:TankType/Water/tank_c"), "Mandatory", nodeID(id.HasModellingRule).String(), nodeID(id.ModellingRuleType).String()},
		{ua.NewStringNodeID(s.space.ns, "type:TankType/alarm"), "Optional", nodeID(id.HasModellingRule).String(), nodeID(id.ModellingRuleType).String()},
		{s.space.typeID("DeviceType"), "TankType", nodeID(id.HasSubtype).String(), "i=0"},
		{object, "TankType", nodeID(id.HasTypeDefinition).String(), "i=0"},
	} {
		if r, def := reference(tt.from, tt.to); r != tt.reference || def != tt.def {
			t.Errorf("%v to %s: reference %q to a node of type %q, want %q, %q", tt.from, tt.to, r, def, tt.reference, tt.def)
		}
	}
}
