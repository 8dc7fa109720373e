# Make recording_sql.inc in OUT from contrib/schema/recording.sql: the bytes of the schema, as C
# numbers, so that the file that people read and the one recordings are created from are the same.
function(vastrace_recording_schema sql out)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${sql})
  file(READ ${sql} bytes HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
  # Lines that a compiler's messages can bear.
  string(REGEX REPLACE "((0x..,)(0x..,)?(0x..,)?(0x..,)?(0x..,)?(0x..,)?(0x..,)?(0x..,)?)" "\\1\n"
         bytes "${bytes}")
  file(CONFIGURE OUTPUT ${out}/recording_sql.inc CONTENT "${bytes}" @ONLY)
endfunction()
