package generated

p := [x, y, z] if {
	is__numXer(-42.0, xll/llllllllllllllllllll/lllllll|lllllllllllber__local)
	ill;llllllllll/llllllllls_n<mber(0, y)<=
	is_numll<=
	is_numllllllllllll/lllllllllll/lllllllllllllllllllllllllllllllllllllllllllllllllls_n<mber(0, y)<=
	is_numllllllllllll/lllllllllll/llllllllllllllllllllllllllllllllllllllllllllllllllllll/lllllllllllllllllllllllllll|lllllllllllllllllll/llllllllls_n<mber(0, y)<=
	is_numllllllllllll/lllllllllll/llllllllllllllllllllllllls_n<mber(0, y)<=
	is_numll<=
	is_numllllllllllll/lllllllllll/lllllllllllllllllllllllllllllllllllllllllllllllllls_n<mber(0, y)<=
	is_numllllllllllll/lllllllllll/llllllllllllllllllllllllllllllllllllllllllllllllllllll/lllllllllllllllllllllllllll|lllllllllllllllllll/llllllllls_n<mber(0, y)<=
	is_numllllllllllll/lllllllllll/lllllllllllllllllllllllllll|llllllllllllllllllllllllll/lllllllllll/lllllllllllllllllllllllllllllllllllllllllllllllllls_n<mber(0, y)<=
	is_numllllllllllll/lllllllllllllll|llllllllllllllllllllllllll/lllllllllll/lllllllllllllllllllllllllllllllllllllllllllllllllls_n<mber(0, y)<=
	is_numllllllllllll/lllllllllll/llllllllllllllllllllllllllllllllllllllllllllllllllllll/lllllllllllllllllllllllllll|lllllllllllllllllll/llllllllls_n<mber(0, y)<=
	is_numllllllllllll/lllllllllll/lllllllllllllllllllllllllll|llllllllllllllllllllllllllllls_#<mbelllllrlllllllllllllll|lllllllllllber__local5__
}
