# Make html_page.inc in OUT from the files of DIR: page.html with page.css and the scripts put where
# it has @STYLE@ and @SCRIPT@, as C numbers. The page's policy admits these two texts alone, by
# their SHA-256 (@STYLE_HASH@, @SCRIPT_HASH@): markup that got into a page could not do anything.
set(VASTRACE_PAGE_SCRIPTS
    format.js data.js lifetimes.js view.js axis.js theme.js window.js picture.js bytes.js layout.js
    flame.js table.js history.js words.js input.js main.js)

# Hexadecimal digits as base64: three bytes a step, which 32 bytes and a zero are.
function(vastrace_base64 hex out)
  set(digits ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/)
  set(result "")
  foreach(at RANGE 0 60 6)
    string(SUBSTRING "${hex}00" ${at} 6 step)
    math(EXPR value "0x${step}")
    foreach(shift 18 12 6 0)
      math(EXPR digit "(${value} >> ${shift}) & 63")
      string(SUBSTRING ${digits} ${digit} 1 digit)
      string(APPEND result ${digit})
    endforeach()
  endforeach()
  string(REGEX REPLACE ".$" "=" result "${result}") # what the zero made
  set(${out} ${result} PARENT_SCOPE)
endfunction()

function(vastrace_html_page dir out)
  set(script "")
  foreach(name ${VASTRACE_PAGE_SCRIPTS})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${dir}/${name})
    file(READ ${dir}/${name} text)
    string(APPEND script "${text}")
  endforeach()
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${dir}/page.html ${dir}/page.css)
  file(READ ${dir}/page.html page)
  file(READ ${dir}/page.css style)
  set(script "(() => {\n'use strict';\n${script}})();\n")
  string(SHA256 style_hash "${style}")
  string(SHA256 script_hash "${script}")
  vastrace_base64(${style_hash} style_hash)
  vastrace_base64(${script_hash} script_hash)
  string(REPLACE "@STYLE_HASH@" "${style_hash}" page "${page}")
  string(REPLACE "@SCRIPT_HASH@" "${script_hash}" page "${page}")
  string(REPLACE "@STYLE@" "${style}" page "${page}")
  string(REPLACE "@SCRIPT@" "${script}" page "${page}")
  string(HEX "${page}" bytes)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
  # Lines that a compiler's messages can bear.
  string(REPEAT "0x..," 16 line)
  string(REGEX REPLACE "(${line})" "\\1\n" bytes "${bytes}")
  file(CONFIGURE OUTPUT ${out}/html_page.inc CONTENT "${bytes}" @ONLY)
endfunction()
