# Make syscall_names_{64,32,x32}.inc in OUT from the kernel's headers: lines `[9] = "mmap",`.
function(vastrace_syscall_names out)
  foreach(abi 64 32 x32)
    execute_process(
      COMMAND ${CMAKE_C_COMPILER} -E -dM -x c -include asm/unistd_${abi}.h /dev/null
      OUTPUT_VARIABLE macros RESULT_VARIABLE status)
    if(NOT status EQUAL 0)
      message(FATAL_ERROR "cannot read asm/unistd_${abi}.h: install the kernel's headers (linux-libc-dev)")
    endif()
    string(REGEX MATCHALL "#define __NR_[a-z0-9_]+ [^\n]+" lines "${macros}")
    set(table "")
    foreach(line ${lines})
      if(line MATCHES "#define __NR_([a-z0-9_]+) \\(?(__X32_SYSCALL_BIT *\\+ *)?([0-9]+)\\)?")
        string(APPEND table "[${CMAKE_MATCH_3}] = \"${CMAKE_MATCH_1}\",\n")
      endif()
    endforeach()
    file(CONFIGURE OUTPUT ${out}/syscall_names_${abi}.inc CONTENT "${table}" @ONLY)
  endforeach()
endfunction()
